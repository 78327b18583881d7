# tests.mk is filled in by the tests
