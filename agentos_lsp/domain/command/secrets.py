"""Names of files that hold secrets: keys, tokens, environments.

The only place that lists them. It goes by the name alone: what is in a file is not looked at.
"""

from __future__ import annotations

import fnmatch
import functools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentos_lsp.domain.command.invocation import Target

# Source: the default rules of gitleaks and detect-secrets, ssh(1) FILES, npm-config, pip and twine configuration,
# git-credential-store(1), netrc(5), docker-login(1), kubectl, AWS CLI and Terraform documentation.
_NAMES = re.compile(
    r"\.env(?:rc)?(?:\..+)?|.+\.env|\.?(?:netrc|npmrc|pypirc|pgpass|my\.cnf|git-credentials|htpasswd|dockercfg|vault-token|s3cfg|boto)"
    r"|_netrc|id_(?:rsa|dsa|ecdsa|ed25519)(?:_[a-z]+)?|.*\.(?:pem|key|p12|pfx|jks|keystore|kdbx|ppk|asc|gpg|tfstate|tfvars)"
    r"|(?:.*[._-])?(?:credentials?|secrets?)(?:\.(?:json|ya?ml|toml|ini|csv|txt|env|properties))?"
    r"|(?:service[_-]?account|client_secret)[^/]*\.json|kubeconfig",
    re.IGNORECASE,
)
# Names that say it together with their folder.
_PLACES = re.compile(r"(?:.*/)?(?:\.docker/config\.json|\.kube/config|gh/hosts\.yml)", re.IGNORECASE)
# Names of examples, which are made to be shown.
_SHOWN = re.compile(r".*\.(?:example|sample|template|tmpl|dist|defaults?|schema|md|d\.ts)", re.IGNORECASE)
# Hidden files that a pattern such as `.e*`, `?env` or `[.]env` may stand for.
_HIDDEN = (".env", ".env.local", ".envrc", ".netrc", ".npmrc", ".pypirc", ".pgpass", ".git-credentials", ".htpasswd")
_SPELT = re.compile(r"[a-z]{2}")
_HINT = re.compile(
    r"env|rc|key|pem|p12|pfx|jks|kdbx|ppk|asc|gpg|tf|cred|secret|id_|pass|pgp|cnf|cfg|vault|boto|account|kube"
)


def is_secret(target: Target) -> bool:
    """Tells whether a file is named like one that holds secrets; a pattern counts as its own text."""
    return is_named(target.shown if target.under or target.path is None else target.path)


@functools.lru_cache(maxsize=4096)
def is_named(path: str) -> bool:
    """Tells whether a path, or a pattern, ends in the name of a file that holds secrets."""
    end = path[-512:].rstrip("/")
    if _PLACES.fullmatch(end):
        return True
    pattern = end.rpartition("/")[2]
    # The shell lets only a dot stand for the first dot; `find`, git and archivers do not mind.
    says_something = pattern[:1] == "." or (("?" in pattern or "[" in pattern) and _SPELT.search(pattern) is not None)
    if says_something and any(fnmatch.fnmatchcase(name, pattern) for name in _HIDDEN):
        return True
    name = pattern.strip("*?")
    if _HINT.search(name.casefold()) is None or _SHOWN.fullmatch(name):
        return False
    return _NAMES.fullmatch(name) is not None
