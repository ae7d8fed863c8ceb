"""The suites lie in ``suites/`` of a checkout, and in ``trionet_bench/shipped/`` of an installed package."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["trionet_bench", "trionet_bench.*"]), "trionet_bench.shipped"],
    package_dir={"trionet_bench.shipped": "suites"},
)
