"""A million zones of ten records, ours alone: some minutes, and some gigabytes."""
import zones


def run(bench):
    zones.run(bench, 1000000, ())
