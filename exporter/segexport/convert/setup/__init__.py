"""The environments of the converters: what each holds, how it is made, where it lies.

NAME.in says what is asked for, NAME.lock what is installed. All of it runs with the standard library alone, for
environments/install.py makes the project's own environments with it before anything is there.
"""
