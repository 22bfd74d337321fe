"""The same clip and the same model through segruntime and through what else there is; and the export next to others.

python benchmarks/peers run        frame → mask, frame → composite
python benchmarks/peers export     network → float32 TFLite

Libraries that are no dependency of ours get an environment of their own below `.venv/`, made by the command, and are
driven as child processes (`serve`, `child`). `tables.markdown_table` makes the tables of docs/measured.md of the results.
"""
