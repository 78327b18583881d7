"""As catalog, with 100,000 zones."""
import catalog

ZONES = 100000


def run(bench):
    catalog.run(bench, ZONES)
