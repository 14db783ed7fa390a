"""Gives the wheel the tag of the program that it carries."""

import os

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ProgramTag(BuildHookInterface):
    """Reads the tag that `build-wheel` has found; without a program the wheel is for any platform."""

    def initialize(self, version, build_data):
        tag = os.environ.get("LASTMETER_WHEEL_TAG")
        if tag:
            build_data["pure_python"] = False
            build_data["tag"] = tag
