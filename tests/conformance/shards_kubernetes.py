"""The recipe docs/examples/shards-kubernetes.yaml: valid by the schemas that Kubernetes publishes, and what its
containers run, run here once for each index, gives the suite of one process.

No cluster is needed; what a kubelet does is done by hand: environment, the names of files of a ConfigMap.
"""

import copy
import os
import shutil
import subprocess
import tempfile

import kubernetes_validate
import yaml

from peer.bench import LASTMETER, Comparison
from peer.shards import CASES, EXAMPLES, SCENARIO, VARIED, same_suite, shards_are_parts, whole_suite

VERSION = "1.33"
# What the schema must not accept: (what, where, value).
CONTROLS = [
    ("a mode that is misspelt as a key", ("spec", "completionmode"), "Indexed"),
    ("a number of completions that is a text", ("spec", "completions"), "4"),
    ("containers outside of a list", ("spec", "template", "spec", "containers"), {"name": "shard"}),
    ("a command that is a text", ("spec", "template", "spec", "containers", 0, "command"), "/bin/sh -c"),
    ("a variable that is a number", ("spec", "template", "spec", "containers", 0, "env", 0, "value"), 4),
    ("a pod without containers", ("spec", "template", "spec"), {"restartPolicy": "Never"}),
]


def manifest(name):
    with open(os.path.join(EXAMPLES, name), encoding="utf-8") as file:
        return yaml.safe_load(file)


def is_valid(job):
    try:
        kubernetes_validate.validate(job, VERSION, strict=True)
    except kubernetes_validate.ValidationError:
        return False
    return True


def schema(comparison):
    for name in ("shards-kubernetes.yaml", "merge-kubernetes.yaml"):
        job = manifest(name)
        comparison.true(f"{name} is valid in Kubernetes {VERSION}", is_valid(job))
        for what, (*path, last), value in CONTROLS:
            changed = copy.deepcopy(job)
            inner = changed
            for key in path:
                inner = inner[key]
            inner[last] = value
            comparison.true(f"{name}: {what} is refused", not is_valid(changed))


def container(name):
    [one] = manifest(name)["spec"]["template"]["spec"]["containers"]
    return one, {each["name"]: each["value"] for each in one["env"]}


def meaning(comparison):
    """What no schema knows."""
    spec = manifest("shards-kubernetes.yaml")["spec"]
    one, variables = container("shards-kubernetes.yaml")
    pod = spec["template"]["spec"]
    comparison.same("completion mode", spec["completionMode"], "Indexed")
    comparison.same("parts are as many as completions", variables["SHARDS"], str(spec["completions"]))
    comparison.true("no more pods than parts at a time", 1 <= spec["parallelism"] <= spec["completions"])
    comparison.same("a container is not started again beside its own results", pod["restartPolicy"], "Never")
    mounts = {each["mountPath"]: each["name"] for each in one["volumeMounts"]}
    comparison.same(
        "volumes and mounts", sorted(mounts.values()), sorted(each["name"] for each in pod["volumes"])
    )
    comparison.true("results lie on a volume", variables["RESULTS"] in mounts, mounts)
    comparison.true("scenarios lie on a volume", one["args"][2] in mounts, one["args"])
    with open(os.path.join(EXAMPLES, "Containerfile"), encoding="utf-8") as file:
        text = file.read()
    user = str(pod["securityContext"]["runAsUser"])
    comparison.true("the user is that of the image", f"--uid {user}" in text, user)
    merge, others = container("merge-kubernetes.yaml")
    comparison.same("results lie at the same place", others["RESULTS"], variables["RESULTS"])
    comparison.same("image of both", merge["image"], one["image"])


def as_config_map(folder):
    """A folder with the scenario as a kubelet mounts a ConfigMap: behind links, and a hidden folder."""
    hidden = os.path.join(folder, "..2027_01_18_17_00_00.1")
    os.makedirs(hidden)
    shutil.copy(SCENARIO, hidden)
    os.symlink(os.path.basename(hidden), os.path.join(folder, "..data"))
    name = os.path.basename(SCENARIO)
    os.symlink(os.path.join("..data", name), os.path.join(folder, name))


def carried_out(name, folder, arguments=(), **variables):
    """What a container runs, with the program on the path."""
    one, own = container(name)
    environment = {**own, **variables, "RESULTS": os.path.join(folder, "results")}
    environment["PATH"] = os.path.join(folder, "bin") + ":" + os.environ["PATH"]
    words = one["command"] + one["args"][:1] + (one["args"][1:2] + list(arguments) if arguments else [])
    return subprocess.run(
        words,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        stdin=subprocess.DEVNULL,
    )


def main():
    comparison = Comparison()
    schema(comparison)
    meaning(comparison)
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(os.path.join(folder, "bin"))
        os.makedirs(os.path.join(folder, "results"))
        os.symlink(LASTMETER, os.path.join(folder, "bin", "lastmeter"))
        scenarios, whole = os.path.join(folder, "scenarios"), os.path.join(folder, "whole")
        as_config_map(scenarios)
        whole_suite(comparison, whole, [scenarios])
        count = manifest("shards-kubernetes.yaml")["spec"]["completions"]
        parts = [os.path.join(folder, "results", f"shard-{number}") for number in range(1, count + 1)]
        # What an evicted pod has left behind does not stand in the way of the next.
        shutil.copytree(whole, parts[0])
        for index in range(count):
            done = carried_out(
                "shards-kubernetes.yaml", folder, [scenarios, *VARIED], JOB_COMPLETION_INDEX=str(index)
            )
            comparison.same(f"index {index} has done its part", done.returncode, 0)
        comparison.same(
            "parts",
            sorted(os.listdir(os.path.join(folder, "results"))),
            [os.path.basename(it) for it in parts],
        )
        shards_are_parts(comparison, parts)
        done = carried_out("merge-kubernetes.yaml", folder)
        comparison.same("merge exits as the suite does", done.returncode, 1)
        same_suite(comparison, whole, os.path.join(folder, "results", "merged"), CASES)
        wrong = [scenarios, "--seeds", "5..1"]
        done = carried_out("shards-kubernetes.yaml", folder, wrong, JOB_COMPLETION_INDEX="0")
        comparison.true("a wrong command line is a pod that failed", done.returncode != 0, done.stderr[-200:])
        # An interrupted suite has results, and is not done.
        os.remove(os.path.join(folder, "bin", "lastmeter"))
        with open(os.path.join(folder, "bin", "lastmeter"), "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\n'{LASTMETER}' \"$@\"\nexit 143\n")
        os.chmod(file.name, 0o755)
        few = [SCENARIO, "--seeds", "1..8"]
        done = carried_out("shards-kubernetes.yaml", folder, few, JOB_COMPLETION_INDEX="3")
        comparison.true("it left results", os.path.exists(os.path.join(parts[3], "suite.json")))
        comparison.true("a part that a signal ended is a pod that failed", done.returncode != 0)
    comparison.end()


if __name__ == "__main__":
    main()
