from segruntime.run.cli import main

main()
