from json import JSONDecodeError

import pytest

from speechbrain_moe.errors import AudioError, PackageError
from speechbrain_moe.inference.hub_errors import hub_errors


def test_a_folder_here_that_may_be_meant_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "user").mkdir()
    wanted = "the folder user here holds no package voices"
    fetched = hub_errors("user/voices", "main")
    with pytest.raises(PackageError, match=wanted), fetched:
        raise ConnectionError
    with pytest.raises(PackageError) as pushed, hub_errors("user/voices"):
        raise ConnectionError
    assert "here" not in str(pushed.value)


@pytest.mark.parametrize(
    "error, said",
    [
        (TimeoutError("slow"), "user/voices: cannot be transferred .slow"),
        (ConnectionError(), "user/voices: the Hub cannot be reached"),
        (OSError("no space\nleft"), r"cannot be transferred \(no space left"),
        (JSONDecodeError("", "<html>", 0), "what answers is not the Hub"),
        (ValueError("bad card"), r"cannot be transferred \(bad card"),
        (RuntimeError("of an upload"), "cannot be transferred .of an upload"),
    ],
)
def test_what_goes_wrong_on_the_way_is_one_error(error, said):
    with pytest.raises(PackageError, match=said), hub_errors("user/voices"):
        raise error


def test_wrapped_cause_of_an_upload_is_what_is_told():
    with pytest.raises(PackageError, match="the Hub cannot be reached .cut"):
        with hub_errors("user/voices"):
            raise RuntimeError("uploading") from ConnectionError("cut")


def test_errors_that_say_the_mend_already_pass_as_they_are():
    with pytest.raises(AudioError, match="^as it is$"):
        with hub_errors("user/voices"):
            raise AudioError("as it is")
