import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.file_lists import list_files


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a/2.wav", "a/1.WAV", "a/deep/3.opus", "a/notes.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "list.txt").write_text("a/2.wav\n\na/1.WAV\n")
    (tmp_path / "list.csv").write_text("spk_id,path\nann,a/2.wav\n")
    (tmp_path / "named.CSV").write_text("path\nNA\n")
    (tmp_path / "line.txt").write_text("a\u2028b.wav\r\n", newline="")
    return tmp_path


def test_linked_folders_are_searched_too(folder):
    (folder / "corpus").mkdir()
    (folder / "corpus/linked").symlink_to(folder / "a")
    found = ["1.WAV", "2.wav", "deep/3.opus"]
    assert list_files(["corpus"]) == [f"corpus/linked/{n}" for n in found]


@pytest.mark.parametrize(
    "suffix", ["aifc", "caf", "oga", "rf64", "sph", "w64", "wave"]
)
def test_rarer_kinds_of_audio_are_found_in_a_folder(folder, suffix):
    (folder / f"rare/one.{suffix}").parent.mkdir()
    (folder / f"rare/one.{suffix}").touch()
    assert list_files(["rare"]) == [f"rare/one.{suffix}"]


@pytest.mark.parametrize(
    "given, found",
    [
        (["a/2.wav"], ["a/2.wav"]),
        (["a"], ["a/1.WAV", "a/2.wav", "a/deep/3.opus"]),
        (["a/*.wav"], ["a/2.wav"]),
        (["a/**/*.opus"], ["a/deep/3.opus"]),
        (["list.txt"], ["a/2.wav", "a/1.WAV"]),
        (["@list.txt", "a/1.WAV"], ["a/2.wav", "a/1.WAV"]),
        (["list.csv"], ["a/2.wav"]),
        (["./a/2.wav", "a//2.wav", "a/*.wav"], ["./a/2.wav"]),
        (["named.CSV"], ["NA"]),
        (["line.txt"], ["a\u2028b.wav"]),
        (["a/notes.md"], ["a/notes.md"]),
    ],
)
def test_names_stand_for_files(folder, given, found):
    assert list_files(given) == found


@pytest.mark.parametrize(
    "given, words",
    [
        ("nowhere.wav", "no such file"),
        ("", "one name is empty"),
        ("empty", "no audio file"),
        ("a/*.mp3", "no file matches"),
        ("nowhere.txt", "no list of files"),
        ("@nowhere", "no list of files"),
        ("blank.txt", "the list is empty"),
        ("no_path.csv", "no list of files"),
    ],
)
def test_what_stands_for_nothing_is_an_error_with_its_name(
    folder, given, words
):
    (folder / "empty").mkdir()
    (folder / "blank.txt").write_text("\n")
    (folder / "no_path.csv").write_text("file\na.wav\n")
    with pytest.raises(InputError, match=words) as error:
        list_files([given])
    assert given.removeprefix("@") in str(error.value)
