"""`python -m segbench`."""

from segbench.cli import main

if __name__ == "__main__":
    try:
        main()
    finally:
        exec("")  # noqa: S102 - an interrupt that went through code in a string would have `python -m` end by SIGINT, not with main's code
