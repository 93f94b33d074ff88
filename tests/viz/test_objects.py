"""The sheet of complex-hook's objects."""

import imageio.v3

from rpl.tasks.fetch.objects import library
from rpl.viz.objects import draw_objects


def test_the_contact_sheet_shows_objects(tmp_path) -> None:
    path = tmp_path / "sheet.png"
    draw_objects(library()[:3], path, columns=2)
    picture = imageio.v3.imread(path)
    assert picture.shape[:2] == (2 * 148, 2 * 128)
    # Objects are orange on light grey; the fourth place is empty.
    orange = picture[..., 0].astype(int) - picture[..., 2] > 40
    tiles = [orange[:148, :128], orange[:148, 128:], orange[148:, :128], orange[148:, 128:]]
    assert [tile.sum() > 300 for tile in tiles] == [True, True, True, False]
