"""Tools that speak to services elsewhere: forges, clouds, clusters, container engines.

Source: the help pages of gh 2, glab 1, docker 28, kubectl 1.34, aws 2, gcloud, az, terraform 1.13, rclone 1.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentos_lsp.domain.command.effects import Deletes, Escalates, Executes, Writes
from agentos_lsp.domain.command.families import rows, verbs
from agentos_lsp.domain.command.invocation import Known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.domain.command.effects import Effect
    from agentos_lsp.domain.command.invocation import Invocation

_TABLE = """
gh hub glab tea bb jira acli | * | tool |
aws gcloud az gsutil bq doctl linode-cli oci ibmcloud hcloud heroku fly flyctl vercel netlify wrangler firebase
  supabase railway render
  s3cmd mc rclone restic b2 eksctl sam cdk serverless sls amplify eb copilot azcopy huggingface-cli hf kaggle dvc
  modal ollama | * | tool |
terraform tofu terragrunt pulumi ansible ansible-playbook ansible-galaxy packer vagrant salt puppet chef consul vault
  nomad waypoint
  boundary cdktf crossplane argocd flux helm helmfile kustomize skaffold tilt kind minikube k3d k9s kubectl oc
  kubeadm stern istioctl
  linkerd | * | tool |
"""
_ENGINES = "docker podman nerdctl buildah docker-compose podman-compose"
# Options that open the host to a container. Source: docker-run(1).
_OPEN = re.compile(
    r"--privileged|--(?:pid|net|network|ipc|uts|userns|cgroupns)=host|--cap-add.*|--security-opt.*unconfined.*|--device.*|--volumes-from.*",
)
_SAFE = frozenset(
    ("ps", "images", "version", "info", "ls", "inspect", "top", "port", "diff", "history", "logs", "stats", "events")
)


def _engine(invocation: Invocation) -> Iterator[Effect]:
    """Container engines: a container is another machine, unless it is given this one's files."""
    words = [rows.text_of(argument) for argument in invocation.arguments]
    plain = [word for word in words if not word.startswith("-")]
    verb = plain[0] if plain else ""
    if verb in ("compose", "container", "image", "buildx", "volume", "network", "system", "builder") and len(plain) > 1:
        verb = f"{verb} {plain[1]}"
    last = verb.rpartition(" ")[2]
    what = f"{invocation.name} {verb}".strip()
    if last in ("pull", "push", "login", "logout", "search", "build", "create", "up", "run", "bake", "imagetools"):
        yield rows.tool(what)
    if last in ("run", "exec", "create", "start", "up", "attach", "enter", "unshare"):
        yield Escalates(f"{what} enters a container")
        yield from _openings(invocation, words)
    elif last in _SAFE:
        yield Executes(f"{what} asks the container engine")
    elif last == "cp" and len(invocation.arguments) > 2 and ":" not in words[-1]:
        yield from rows.write(invocation, invocation.arguments[-1])
    else:
        yield Executes(f"{what} changes containers or images")


def _openings(invocation: Invocation, words: list[str]) -> Iterator[Effect]:
    for i, word in enumerate(words):
        following = words[i + 1] if i + 1 < len(words) else ""
        if _OPEN.fullmatch(word) or _OPEN.fullmatch(f"{word}={following}"):
            yield Escalates(f"{word} opens this machine to the container")
        mount = following if word in ("-v", "--volume", "--mount") else re.sub(r"^(?:-v|--volume=|--mount=)", "", word)
        if word in ("-v", "--volume", "--mount") or mount != word:
            named = re.search(r"(?:source|src)=([^,]*)", mount)
            source = named[1] if named else mount.partition(":")[0]
            if source.startswith(("/", ".", "~")):
                yield Writes(rows.target(invocation, Known(source)))
                if "docker.sock" in source:
                    yield Escalates("the container engine's socket opens this machine to the container")


def _rclone(invocation: Invocation) -> Iterator[Effect]:
    """`rclone sync|delete|purge` delete at a destination that may be a local folder."""
    yield rows.tool("rclone")
    words = [argument for argument in invocation.arguments if not rows.text_of(argument).startswith("-")]
    if words and rows.text_of(words[0]) in ("sync", "delete", "purge", "move", "bisync", "rmdirs", "cleanup", "dedupe"):
        for word in words[-1:]:
            if ":" not in rows.text_of(word):
                yield Deletes(rows.target(invocation, word), recursive=True)


ROWS = {
    **verbs.table(_TABLE),
    **rows.special(_ENGINES, _engine),
    **rows.special("rclone", _rclone),
}
