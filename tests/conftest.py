"""The order of the tests, and how often Python looks for garbage among them."""

import gc

# Traced graphs are millions of objects that live as long as the process. With Python's own threshold it goes through all of them
# again and again, which took a good part of the suite's time; memory stays below what two workers have.
gc.set_threshold(10_000, 20, 100)


def pytest_collection_modifyitems(items):
    """Files with slow tests come first: at the end, all workers share the many short ones, and none waits long for another."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
