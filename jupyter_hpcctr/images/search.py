"""Looks for images at registries: the catalogue of repositories, then the tags of those that fit.

OCI distribution-spec 1.1 has the list of tags ("Content Discovery"); the catalogue (``/v2/_catalog``) is that of
the reference registry. Tokens are fetched where a registry asks for them (docs.docker.com, "Token
authentication"), for nobody in particular: private repositories are not found.
"""

from __future__ import annotations

import concurrent.futures
import difflib
import fnmatch
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from http.client import HTTPException

from ..core.facts import Policy
from ..core.request import ImageRef
from ..errors import ImageError, RequestError

ANSWER_S = 10.0
CATALOGUE = 1000
"""Repositories that are asked for at once; pages after that are fetched as long as there are any, up to ``PAGES``."""
PAGES = 20
REPOSITORIES, TAGS = 20, 10
"""How many repositories' tags are looked up, and how many tags of each are shown."""
NEAR = 3
"""How many names are shown that are like one that there is not."""
_ANSWER_BYTES = 8 << 20
_HOSTS = {"docker.io": "registry-1.docker.io"}
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_NEXT = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?')


def search(text: str, policy: Policy) -> tuple[tuple[str, ...], tuple[ImageError, ...]]:
    """Return references that hold a text, registry by registry in the policy's order.

    What is before a colon is looked for in names of repositories, what is behind it in tags. Behind the references
    is an error for each registry that did not answer.
    """
    if not policy.registries:
        return (), ()
    found: list[str] = []
    failed: list[ImageError] = []
    with concurrent.futures.ThreadPoolExecutor(len(policy.registries)) as pool:
        asked = [pool.submit(_at, host, text.strip(), policy) for host in policy.registries]
        for each in asked:
            try:
                found += each.result()
            except ImageError as error:
                failed.append(error)
    return tuple(found), tuple(failed)


def near(name: str, policy: Policy) -> tuple[str, ...]:
    """Return references at a name's registry that differ little from it: other tags, or names that are spelt alike.

    Parameters
    ----------
    name : str
        Written out, with registry and tag (``records.canonical``).
    policy : Policy
        Which images are allowed, and which registries speak plain HTTP.

    Nothing is returned, and nothing raised, where the registry does not answer such questions.
    """
    host, _, path = name.partition("@")[0].partition("/")
    repository, _, tag = path.partition(":")
    registry = _registry(host, policy)
    try:
        found = _tagged(registry, repository, tag)
    except ImageError:  # that is how most registries say that they have no such repository
        found = []
    try:
        for other in [] if found else difflib.get_close_matches(repository, list(registry.repositories()), NEAR, 0.7):
            found += _tagged(registry, other, tag)[:1]
    except ImageError:
        pass
    return tuple(one for one in found[:NEAR] if _is_reference(one) and _is_allowed(one, policy))


def _tagged(registry: _Registry, repository: str, tag: str) -> list[str]:
    """Return a repository's references, those first whose tags are most like a tag."""
    tags = registry.tags(repository)
    alike = difflib.get_close_matches(tag, tags, NEAR, 0.5)
    return [f"{registry.host}/{repository}:{each}" for each in (*alike, *(t for t in tags if t not in alike))]


def _registry(host: str, policy: Policy) -> _Registry:
    plain = bool({host, host.rpartition(":")[0]} & set(policy.insecure_registries))
    return _Registry(host, "http" if plain else "https")


def _at(host: str, text: str, policy: Policy) -> list[str]:
    registry = _registry(host, policy)
    wanted, _, tag = text.removeprefix(f"{host}/").partition(":")
    names = [name for name in registry.repositories() if wanted.lower() in name]
    names.sort(key=lambda name: (not name.rpartition("/")[2].startswith(wanted.lower()), name))
    found = [
        f"{host}/{name}:{each}"
        for name in names[:REPOSITORIES]
        for each in [one for one in registry.tags(name) if tag.lower() in one.lower()][:TAGS]
    ]
    return [one for one in found if _is_reference(one) and _is_allowed(one, policy)]


class _Registry:
    """One registry, asked by GET; its token is kept for the next question of the same kind."""

    def __init__(self, host: str, scheme: str) -> None:
        self.host, self._base = host, f"{scheme}://{_HOSTS.get(host, host)}"
        self._tokens: dict[str, str] = {}

    def repositories(self) -> Iterator[str]:
        path = f"/v2/_catalog?n={CATALOGUE}"
        for _ in range(PAGES):
            answer, path = self._get(path, "catalogue")
            yield from _texts(answer.get("repositories"))
            if not path:
                return

    def tags(self, name: str) -> list[str]:
        answer, _ = self._get(f"/v2/{urllib.parse.quote(name)}/tags/list", name)
        tags = _texts(answer.get("tags"))
        # The newest are not known without asking for each: "latest", then what sorts last.
        return sorted(tags, key=lambda tag: (tag == "latest", [int(n) for n in re.findall(r"\d+", tag)], tag))[::-1]

    def _get(self, path: str, kind: str) -> tuple[Mapping[str, object], str]:
        """Return an answer and the path of its next page."""
        try:
            try:
                return self._read(path, self._tokens.get(kind, ""))
            except urllib.error.HTTPError as error:
                challenge = error.headers.get("WWW-Authenticate", "")
                if error.code != 401 or not challenge.lower().startswith("bearer "):
                    raise
                self._tokens[kind] = self._token(dict(_CHALLENGE.findall(challenge)))
                return self._read(path, self._tokens[kind])
        except urllib.error.HTTPError as error:
            hint = "it cannot be searched: write the image's name out"
            raise ImageError(f"{self.host} answered {error.code} {error.reason}", hint=hint, field=self.host) from error
        except (OSError, ValueError, HTTPException) as error:
            told = ImageError(f"{self.host} does not answer: {error}", hint="try again later", field=self.host)
            told.transient = True
            raise told from error

    def _token(self, challenge: Mapping[str, str]) -> str:
        realm = challenge.get("realm", "")
        if urllib.parse.urlsplit(realm).scheme not in ("http", "https"):
            raise ValueError(f"it wants a token from {realm!r}")
        asked = {key: challenge[key] for key in ("service", "scope") if key in challenge}
        answer = _load(f"{realm}?{urllib.parse.urlencode(asked)}", "")[0]
        return str(answer.get("token") or answer.get("access_token") or "")

    def _read(self, path: str, token: str) -> tuple[Mapping[str, object], str]:
        answer, link = _load(self._base + path, token)
        found = _NEXT.search(link)
        following = urllib.parse.urlsplit(urllib.parse.urljoin(path, found[1])) if found else None
        # Wherever it points to, the next page is asked of this registry.
        return answer, "" if following is None else f"/{following.path.lstrip('/')}?{following.query}"


def _load(url: str, token: str) -> tuple[Mapping[str, object], str]:
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  (http and https alone get here)
    with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310
        plain = json.loads(answer.read(_ANSWER_BYTES))
        return plain if isinstance(plain, dict) else {}, answer.headers.get("Link", "")


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _is_reference(text: str) -> bool:
    try:
        return bool(ImageRef(text))
    except RequestError:
        return False


def _is_allowed(text: str, policy: Policy) -> bool:
    patterns = policy.image_patterns
    return not patterns or any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)
