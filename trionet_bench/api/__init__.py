"""What `import trionet_bench` offers in Python; the command line is a thin user of it."""
