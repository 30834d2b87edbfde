import pytest

from fanogan_tf.oct.phantom import PhantomSettings


@pytest.mark.parametrize("bscans", [1, 7, 49, 98])
def test_extent_is_that_of_49_scans(bscans):
    spacing = PhantomSettings(bscans=bscans).volume_spacing
    assert spacing[0] * bscans == pytest.approx(6.0, abs=0.05)
    assert spacing[1:] == (0.00387, 0.01133)


@pytest.mark.parametrize(
    "wrong",
    [
        {"bscans": 0},
        {"width": 0},
        {"averaging": 0},
        {"spacing": (0.1, 0.0, 0.1)},
        {"spacing": (0.1, 0.1)},
        {"psf": (-0.1, 0.0)},
        {"lesions": ("drusen",)},
        {"lesions": ("subretinal_fluid", "subretinal_fluid")},
        {"lesion_scale": (1.2, 0.8)},
        {"lesion_scale": (0.0, 1.0)},
    ],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PhantomSettings(**wrong)
