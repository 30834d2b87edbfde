import dataclasses
from pathlib import Path

import pytest
from absl import flags

from fanogan_tf import option_flags
from fanogan_tf import options as options_module
from fanogan_tf.errors import UserError
from fanogan_tf.option_flags import from_flags, from_text, to_text
from fanogan_tf.options import Options

FIELDS = dataclasses.fields(Options)
OTHER = {str: "a b=c, 'd' #e", int: 9, float: 0.3, bool: True}


def parsed(*arguments):
    values = flags.FlagValues()
    option_flags.define_flags(values)
    values(["program", *arguments])
    return from_flags(values)


def changed(field):
    """A value that is not the default."""
    if field.metadata["choices"]:
        return field.metadata["choices"][-1]
    if field.type is bool:
        return not field.default
    return OTHER[field.type] if field.name not in options_module.PATHS else "/some where/a=b"


def test_defaults():
    assert parsed() == (Options(), frozenset())


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_field_is_a_flag(field):
    value = changed(field)
    options, given = parsed(f"--{field.name}={value}")
    read = getattr(options, field.name)
    assert read == value and type(read) is field.type
    assert given == {field.name}
    assert options == dataclasses.replace(Options(), **{field.name: value})


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_default_is_possible(field):
    assert type(field.default) is field.type
    options, given = parsed(f"--{field.name}={field.default}")
    assert options == Options() and given == {field.name}


def test_flags_are_the_fields():
    values = flags.FlagValues()
    option_flags.define_flags(values)
    own = {name for name in values if name not in flags.FlagValues()}
    assert own - {"help", "helpfull", "helpshort", "helpxml", "flagfile", "undefok"} == {field.name for field in FIELDS}
    for field in FIELDS:
        assert field.metadata["help"] in values[field.name].help
    with pytest.raises(flags.DuplicateFlagError):
        option_flags.define_flags(values)


@pytest.mark.parametrize("field", [f for f in FIELDS if f.metadata["choices"]], ids=lambda field: field.name)
def test_other_choices_are_refused(field):
    with pytest.raises(flags.IllegalFlagValueError, match=field.name):
        parsed(f"--{field.name}=nonsense")
    for choice in field.metadata["choices"]:
        assert getattr(parsed(f"--{field.name}={choice}")[0], field.name) == choice


@pytest.mark.parametrize(
    "argument",
    [
        "--dim=0",
        "--batch_size=-1",
        "--seed=-1",
        "--learning_rate=-0.1",
        "--validation_fraction=0.6",
        "--false_positive_rate=0",
        "--false_positive_rate=0.51",
        "--iterations=1.5",
        "--dim=many",
        "--folded=maybe",
        "--kappa=x",
    ],
)
def test_bad_values_are_refused(argument):
    with pytest.raises(flags.IllegalFlagValueError):
        parsed(argument)


def test_given_are_those_of_the_command_line():
    options, given = parsed("--dim=64", "--nofolded", "--normal_class=3")
    assert given == {"dim", "folded", "normal_class"}
    assert options.folded is False and options.dim == Options().dim


def test_flagfile_counts_as_given(tmp_path):
    (tmp_path / "a.flags").write_text("# comment\n--dim=9\n")
    options, given = parsed(f"--flagfile={tmp_path / 'a.flags'}")
    assert options.dim == 9 and given == {"dim"}


def test_data_path_is_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parsed("--data_path=images")[0].data_path == str(tmp_path / "images")
    assert parsed("--data_path=/a/b")[0].data_path == "/a/b"
    assert parsed("--data_path=")[0].data_path == ""


def test_text_round_trip():
    assert from_text(to_text(Options()), "flags.txt") == Options()
    other = Options(**{field.name: changed(field) for field in FIELDS})
    assert all(getattr(other, field.name) != field.default for field in FIELDS if field.name != "method")
    assert from_text(to_text(other), "flags.txt") == other


@pytest.mark.parametrize("value", [1e-4, 5e-05, 0.1 + 0.2, 1e-12, 123456.789])
def test_numbers_are_kept_exactly(value):
    assert from_text(to_text(Options(learning_rate=value)), "f").learning_rate == value


def test_text_is_a_flagfile(tmp_path):
    options = Options(dim=3, normal_class="T-shirt/top", folded=False, data_path="/a b/c")
    (tmp_path / "flags.txt").write_text(to_text(options))
    assert parsed(f"--flagfile={tmp_path / 'flags.txt'}")[0] == options


def test_text_of_an_older_version_takes_defaults():
    """Of today, or where those would change what a run of then was, the only way there was."""
    assert from_text("# by hand\n\n--dim=3\n", "f") == Options(dim=3, mapping_clipping="stochastic")


@pytest.mark.parametrize("line", ["--nonsense=3", "--dim=none", "--method=other", "dim=5", "hello", "--"])
def test_lines_that_are_no_flags(line):
    with pytest.raises(UserError, match=r"^runs/a/flags.txt: .* this version"):
        from_text(f"--dim=5\n{line}\n--latent_dim=7\n", "runs/a/flags.txt")


def test_flagfiles_of_the_project_are_valid():
    found = sorted((Path(__file__).parents[1] / "flags").glob("*.flags"))
    assert found
    for path in found:
        assert parsed(f"--flagfile={path}")[1], path


def test_what_may_change():
    assert {"iterations", "learning_rate", "false_positive_rate", "score_batch_size"} <= options_module.FREE
    for name in ("dataset", "normal_class", "dim", "latent_dim", "seed", "encoder_loss", "kappa", "batch_size", "split_seed"):
        assert name not in options_module.FREE


def test_a_choice_of_true_and_false_may_stand_bare():
    for text, value in (("", "auto"), ("--jit_compile", "true"), ("--nojit_compile", "false"), ("--jit_compile=auto", "auto")):
        assert from_text(text, "source").jit_compile == value
    for value in ("auto", "true", "false"):
        options = Options(jit_compile=value)
        assert from_text(to_text(options), "source") == options
