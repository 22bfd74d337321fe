from segruntime.cli import main

try:
    main()
finally:
    exec("")  # noqa: S102 - an interrupt that went through code in a string would have `python -m` end by SIGINT, not with main's code
