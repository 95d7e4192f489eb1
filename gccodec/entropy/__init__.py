"""Integers <-> bytes: everything on which two machines must agree. numpy and constriction; no float
decides."""
