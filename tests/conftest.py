"""The order of the tests."""


def pytest_collection_modifyitems(items):
    """Files with slow tests come first: at the end, both workers share the many short ones, and neither waits for the other."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
