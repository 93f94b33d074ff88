"""Figure 6 says what its table says."""

from pathlib import Path

import pytest

from rpl.paper.figures import plot_cache_sizes


def test_the_figure_shows_the_table_in_the_order_of_the_sizes(tmp_path: Path) -> None:
    path = tmp_path / "figure6.csv"
    names = "states,trials,mean_return,std_return,planner_return"
    path.write_text(f"{names}\n500,25,-85,5,-75\n1,25,-150,20,-75\n")
    (axes,) = plot_cache_sizes(path).axes
    curve, level = axes.get_lines()
    assert (list(curve.get_xdata()), list(curve.get_ydata())) == ([1, 500], [-150, -85])
    assert list(level.get_ydata()) == [-75.0, -75.0]
    (band,) = axes.collections
    corners = band.get_paths()[0].vertices
    assert (corners[:, 1].min(), corners[:, 1].max()) == (-170, -80)
    assert "25 trials" in axes.get_title()


def test_another_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="not a table of cache sizes"):
        plot_cache_sizes(path)
