"""The Hugging Face Hub, through its own client: two calls, and each of its errors as one sentence.

The client is the extra `hub`; nothing imports it before the first call.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from polo_ros.errors import PoloError
from polo_ros.extras import require
from polo_ros.learner.tensors import read_file
from polo_ros.learner.weights import SIZE_LIMIT

LOGIN = "log in with `hf auth login`, or set HF_TOKEN"


def push_folder(repository: str, folder: Path, private: bool, message: str) -> str:
    """Make a model repository where it is missing, and commit all files of a folder to it.

    Returns:
      The address of the repository.

    Raises:
      PoloError: the client is missing, the Hub cannot be reached, or it refuses.
    """
    with sentences(repository, "written"):
        from huggingface_hub import HfApi

        api = HfApi(library_name="polo_ros")
        address = str(api.create_repo(repository, private=private, exist_ok=True))
        api.upload_folder(repo_id=repository, folder_path=folder, commit_message=message)
    return address


def pull_file(repository: str, name: str, revision: str | None = None) -> bytes:
    """The content of a file of a model repository, of limited size.

    Raises:
      PoloError: the client is missing, the Hub cannot be reached, it refuses, there is no such repository or
        file, or the file is larger than any weights.
    """
    with sentences(repository, "read"):
        from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

        # the size first: a download cannot be bounded
        size = get_hf_file_metadata(hf_hub_url(repository, name, revision=revision)).size
        if size is None or size > SIZE_LIMIT:
            raise PoloError(
                f"{name} of {repository} has {size or 'an unknown number of'} bytes; weights have at most "
                f"{SIZE_LIMIT}"
            )
        with tempfile.TemporaryDirectory(prefix="polo_weights_") as folder:
            return read_file(
                Path(hf_hub_download(repository, name, revision=revision, local_dir=folder)), SIZE_LIMIT
            )


@contextlib.contextmanager
def sentences(repository: str, done: str) -> Iterator[None]:
    """Turn the client's errors into one sentence each.

    Args:
      repository: named in them.
      done: what could not be done to it: read or written.

    Raises:
      PoloError: says what is wrong and what would help.
    """
    require("hub", "the Hugging Face Hub", "huggingface_hub")
    from huggingface_hub import constants, errors

    what, host = f"{repository} could not be {done}", constants.ENDPOINT
    # the base of the transport's errors, from httpx or httpx2 as the client's version has it
    transport_error: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]
    try:
        yield
    except errors.HFValidationError:
        raise PoloError(f"{repository!r:.100} is no repository; name it as owner/name") from None
    except errors.GatedRepoError:
        raise PoloError(
            f"{what}: its owner grants access on request; ask on its page, then {LOGIN}"
        ) from None
    except errors.RepositoryNotFoundError:
        raise PoloError(
            f"{what}: {host} has no such repository, or it is private; check the name, or {LOGIN}"
        ) from None
    except errors.RevisionNotFoundError:
        raise PoloError(f"{what}: it has no such revision") from None
    except errors.RemoteEntryNotFoundError:
        raise PoloError(f"{what}: it has no such file; name the file with --file") from None
    except errors.LocalTokenNotFoundError:
        raise PoloError(f"{what}: you are not logged in; {LOGIN}") from None
    except errors.HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in (401, 403):
            raise PoloError(f"{what}: you have no permission; {LOGIN}") from None
        said = (error.server_message or f"status {status}").splitlines()[0]
        raise PoloError(f"{what}: {host} says: {said:.200}") from None
    except (errors.LocalEntryNotFoundError, ConnectionError, transport_error):  # or HF_HUB_OFFLINE is set
        raise PoloError(f"{what}: {host} cannot be reached; go online and unset HF_HUB_OFFLINE") from None
