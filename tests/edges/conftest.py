"""Here so that the tests of all edges find `fresh_store`."""
