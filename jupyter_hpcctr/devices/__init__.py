"""How the devices of a node reach a container, by description.

The description is a spec of the Container Device Interface (CDI): which device nodes, files, libraries and variables
a device needs in a container. This room runs on the compute node, outside of the container: Python 3.9 or later,
and nothing but the standard library when it is imported.
"""
