import pytest

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.inference.about import About, read_about


@pytest.fixture
def write(tmp_path):
    def write_file(text):
        path = tmp_path / "about.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


def test_what_is_said_is_kept_and_the_rest_is_by_default(write):
    found = read_about(
        write("title: Zürich\nlanguages: [de]\nlimits: |\n  no\n  children\n")
    )
    assert found == About(
        title="Zürich", languages=("de",), limits="no\nchildren"
    )


@pytest.mark.parametrize(
    "text, message",
    [
        ("tilte: x", "no key tilte; choose of title"),
        ("version: 1.0", "version is 1.0; give a text, in quotes"),
        ("languages: de", "languages is 'de'; give a list"),
        ("datasets: [1]", "datasets is .*1.*; give a list"),
        ("just words", "give lines such as"),
        ("", "give lines such as"),
        ("title: [", "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_refused_by_file_and_key(write, text, message):
    with pytest.raises(HyperparameterError, match=f"about.yaml.*{message}"):
        read_about(write(text))


def test_yaml_that_would_run_code_is_refused(write):
    path = write("title: !!python/object/apply:os.getcwd []")
    with pytest.raises(HyperparameterError, match="about.yaml cannot be read"):
        read_about(path)


def test_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(HyperparameterError, match="nowhere.yaml"):
        read_about(tmp_path / "nowhere.yaml")
