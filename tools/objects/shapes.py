"""Thirty-two kinds of everyday object, each drawn with proportions of its own.

Every function takes a generator and returns a solid that stands on its base with z upwards,
in arbitrary units. To see them: `rpl objects --picture`.
"""

from __future__ import annotations

import numpy as np

from tools.objects.solids import Solid, arc, ball, box, cylinder, lathe, prism, star, tube

Random = np.random.Generator


def bowl(r: Random) -> Solid:
    h, foot = r.uniform(0.35, 0.7), r.uniform(0.3, 0.6)
    return lathe([(0, 0), (foot, 0), (0.85, h / 2), (1, h), (0.92, h), (0.75, h / 2), (0, 0.1)], 20)


def mug(r: Random) -> Solid:
    h, top = r.uniform(1.6, 2.6), r.uniform(0.9, 1.15)
    cup = lathe([(0, 0), (0.95, 0), (top, h), (top - 0.12, h), (0.8, 0.15), (0, 0.15)])
    handle = tube(arc(h / 3.5, -85, 85), 0.13).scale(1.1, 1, 1)
    return cup + handle.move(x=0.95, z=h / 2)


def bottle(r: Random) -> Solid:
    shoulder, neck, h = r.uniform(1.6, 2.6), r.uniform(0.25, 0.4), r.uniform(0.8, 1.4)
    body = [(0, 0), (0.8, 0), (0.85, 0.1), (0.85, shoulder), (neck, shoulder + h / 2)]
    return lathe(
        [*body, (neck, shoulder + h), (neck * 1.3, shoulder + h), (0, shoulder + h + 0.15)]
    )


def vase(r: Random) -> Solid:
    belly, waist, lip = r.uniform(0.8, 1.2), r.uniform(0.3, 0.5), r.uniform(0.5, 0.9)
    outside = [(0, 0), (0.5, 0), (belly, 0.9), (waist, 2.0), (lip, 2.5)]
    return lathe([*outside, (lip - 0.1, 2.5), (waist - 0.1, 2.0), (0, 1.6)])


def goblet(r: Random) -> Solid:
    stem, cup, wide = r.uniform(0.7, 1.3), r.uniform(0.8, 1.3), r.uniform(0.55, 0.85)
    foot = [(0, 0), (0.6, 0), (0.6, 0.08), (0.12, 0.2), (0.12, stem)]
    outside = [(wide, stem + cup / 2), (wide * 0.95, stem + cup)]
    return lathe([*foot, *outside, (wide * 0.85, stem + cup), (0, stem + 0.2)])


def teapot(r: Random) -> Solid:
    fat = r.uniform(0.8, 1.1)
    body = lathe([(0, 0), (0.6, 0), (fat, 0.6), (0.6, 1.2), (0.15, 1.3), (0.2, 1.5), (0, 1.6)])
    spout = tube([(0.6, 0, 0.4), (1.1, 0, 0.7), (1.4, 0, 1.2)], 0.14)
    return body + spout + tube(arc(0.5, 100, 260), 0.1).move(x=-0.75, z=0.65)


def bucket(r: Random) -> Solid:
    top, h = r.uniform(1.0, 1.4), r.uniform(1.4, 2.1)
    pail = lathe([(0, 0), (0.85, 0), (top, h), (top - 0.08, h), (0.78, 0.1), (0, 0.1)])
    return pail + tube(arc(top, 0, 180, 13), 0.06).scale(1, 1, r.uniform(0.4, 0.8)).move(z=h)


def pan(r: Random) -> Solid:
    h, length = r.uniform(0.3, 0.6), r.uniform(1.0, 1.8)
    dish = lathe([(0, 0), (0.85, 0), (1, h), (0.92, h), (0.8, 0.08), (0, 0.08)], 20)
    return dish + box(length, 0.22, 0.12).move(x=0.9 + length / 2, z=h - 0.14)


def _legs(x: float, y: float, height: float, radius: float) -> Solid:
    corners = [(x, y), (-x, y), (-x, -y), (x, -y)]
    first, *rest = [cylinder(radius, height, segments=8).move(*corner) for corner in corners]
    return sum(rest, start=first)


def chair(r: Random) -> Solid:
    seat, back = r.uniform(0.8, 1.2), r.uniform(0.8, 1.3)
    slats = [box(0.12, 0.25, back).move(x=-0.44, y=y, z=seat) for y in (-0.35, 0.0, 0.35)]
    frame = _legs(0.4, 0.4, seat, 0.08) + box(1, 1, 0.12).move(z=seat)
    return sum(slats, start=frame) + box(0.14, 1, 0.2).move(x=-0.44, z=seat + back - 0.1)


def stool(r: Random) -> Solid:
    h = r.uniform(0.8, 1.5)
    ring = star(8, 0.55, 0.5, 0.08).move(z=h * 0.4)
    return _legs(0.38, 0.38, h, 0.07) + ring + cylinder(r.uniform(0.55, 0.75), 0.14).move(z=h)


def table(r: Random) -> Solid:
    x, y, h = r.uniform(0.7, 1.1), r.uniform(0.5, 0.7), r.uniform(0.6, 1.0)
    return _legs(x - 0.12, y - 0.12, h, 0.08) + box(2 * x, 2 * y, 0.1).move(z=h)


def lamp(r: Random) -> Solid:
    h, shade, top = r.uniform(1.0, 1.8), r.uniform(0.6, 0.9), r.uniform(0.3, 0.5)
    stand = cylinder(0.5, 0.12) + cylinder(0.08, h, segments=8)
    return stand + cylinder(shade, 0.8, top).move(z=h)


def sofa(r: Random) -> Solid:
    length, back = r.uniform(1.6, 2.6), r.uniform(0.8, 1.1)
    arms = box(0.9, 0.22, 0.7).move(y=length / 2) + box(0.9, 0.22, 0.7).move(y=-length / 2)
    return box(0.9, length, 0.4) + box(0.25, length, back).move(x=-0.4) + arms


def teddy_bear(r: Random) -> Solid:
    head, ear, limb = r.uniform(0.45, 0.6), r.uniform(0.15, 0.22), r.uniform(0.2, 0.28)
    bear = ball(0.6, 0.7, 0.8).move(z=0.8) + ball(head).move(x=0.1, z=1.6 + head / 2)
    bear += ball(0.2).move(x=0.1 + head, z=1.5 + head / 2)
    for side in (-1, 1):
        bear += ball(ear).move(y=side * head * 0.75, z=1.6 + 1.3 * head)
        bear += ball(limb, 0.5, limb).move(x=0.2, y=side * 0.8, z=1.1)
        bear += ball(0.55, limb, limb).move(x=0.6, y=side * 0.45, z=limb)
    return bear


def duck(r: Random) -> Solid:
    head, beak, neck = r.uniform(0.35, 0.45), r.uniform(0.3, 0.5), r.uniform(1.0, 1.4)
    bird = ball(1.0, 0.65, 0.5).move(z=0.5) + ball(head).move(x=0.65, z=neck)
    bird += cylinder(0.25, neck - 0.5).move(x=0.65, z=0.5)
    bill = ball(beak, 0.2, 0.08).move(x=0.65 + head, z=neck - 0.05)
    return bird + bill + cylinder(0.3, 0.6, 0.05).turn("y", -60).move(x=-0.6, z=0.7)


def fish(r: Random) -> Solid:
    tall, tail = r.uniform(0.35, 0.6), r.uniform(0.35, 0.6)
    fin = prism([(0, 0), (tail, -tail), (0.7 * tail, 0), (tail, tail)], 0.1).turn("x", 90)
    top = prism([(-0.4, 0), (0.4, 0), (0.1, 0.4)], 0.08).turn("x", 90)
    body = ball(1.0, 0.3, tall) + top.move(y=0.04, z=tall * 0.85)
    return (body + fin.move(x=0.9, y=0.05)).move(z=max(tall, tail))


def rabbit(r: Random) -> Solid:
    ear, head = r.uniform(0.5, 0.9), r.uniform(0.38, 0.48)
    body = ball(0.8, 0.55, 0.6).move(z=0.6) + ball(head).move(x=0.7, z=1.2)
    for side in (-1, 1):
        body += ball(0.12, 0.14, ear).turn("y", -15).move(x=0.5, y=side * 0.2, z=1.3 + ear)
        body += ball(0.3, 0.16, 0.14).move(x=0.5, y=side * 0.3, z=0.14)
    return body + ball(0.2).move(x=-0.8, z=0.6)


def turtle(r: Random) -> Solid:
    shell = r.uniform(0.4, 0.7)
    body = lathe([(0, 0.2), (1, 0.2), (0.85, 0.2 + shell * 0.6), (0, 0.2 + shell)], 14)
    body += ball(0.3).move(x=r.uniform(1.1, 1.3), z=0.45)
    for x, y in ((0.65, 0.7), (0.65, -0.7), (-0.65, 0.7), (-0.65, -0.7)):
        body += ball(0.25, 0.25, 0.2).move(x, y, 0.2)
    return body


def tree(r: Random) -> Solid:
    trunk, layers = r.uniform(0.4, 0.8), int(r.integers(2, 5))
    body = cylinder(0.18, trunk, segments=8)
    for i in range(layers):
        body += cylinder(0.9 - 0.15 * i, 0.8, 0.05, segments=10).move(z=trunk + 0.45 * i)
    return body


def cactus(r: Random) -> Solid:
    h, reach = r.uniform(1.6, 2.4), r.uniform(0.5, 0.7)
    body = cylinder(0.55, 0.6, 0.7) + cylinder(0.3, h) + ball(0.3).move(z=h)
    for side, height in ((1, r.uniform(0.9, 1.2)), (-1, r.uniform(1.1, 1.5))):
        path = np.array([(0, 0, 0), (0.7 * reach, 0, 0.05), (reach, 0, 0.3), (reach, 0, 0.8)])
        body += tube(path * (side, 1, 1), 0.16).move(z=height - 0.2)
    return body


def mushroom(r: Random) -> Solid:
    h, cap, tall = r.uniform(0.7, 1.4), r.uniform(0.8, 1.2), r.uniform(0.5, 0.9)
    dome = [(cap * np.cos(a), h + tall * np.sin(a)) for a in np.linspace(0, np.pi / 2, 6)]
    return lathe([(0, 0), (0.4, 0), (0.28, h / 2), (0.3, h), *dome])


def _wheels(x: float, y: float, radius: float) -> Solid:
    wheel = cylinder(radius, 0.2).turn("x", 90).move(y=0.1, z=radius)
    return wheel.move(x, y) + wheel.move(-x, y) + wheel.move(x, -y) + wheel.move(-x, -y)


def car(r: Random) -> Solid:
    length, cabin, wheel = r.uniform(1.8, 2.6), r.uniform(0.8, 1.3), r.uniform(0.22, 0.32)
    roof = prism(
        [(-cabin / 2 - 0.2, 0), (cabin / 2 + 0.2, 0), (cabin / 3, 0.45), (-cabin / 3, 0.45)], 0.85
    )
    top = roof.turn("x", 90).move(y=0.425, z=wheel + 0.4)
    return box(length, 1, 0.42).move(z=wheel) + top + _wheels(length * 0.32, 0.5, wheel)


def truck(r: Random) -> Solid:
    length, cargo, wheel = r.uniform(1.4, 2.2), r.uniform(0.8, 1.2), r.uniform(0.22, 0.3)
    cab = box(0.7, 0.9, 0.8).move(x=length / 2 + 0.4, z=wheel)
    return cab + box(length, 1, cargo).move(z=wheel) + _wheels(length * 0.4, 0.5, wheel)


def boat(r: Random) -> Solid:
    length, mast = r.uniform(1.0, 1.5), r.uniform(1.0, 1.6)
    deck = np.array(
        [
            (-length, -0.45),
            (0.5 * length, -0.45),
            (length, 0),
            (0.5 * length, 0.45),
            (-length, 0.45),
        ]
    )
    hull = prism(deck, 0.45)
    narrow = hull.vertices * np.where(hull.vertices[:, 2:] < 0.01, (0.75, 0.6, 1.0), 1.0)
    sail = prism([(0, 0), (0.9, 0), (0, mast)], 0.05).turn("x", 90).move(x=-0.4, y=0.025, z=0.6)
    return Solid(narrow, hull.faces) + cylinder(0.06, mast, segments=8).move(x=-0.45, z=0.4) + sail


def plane(r: Random) -> Solid:
    span, sweep, chord = r.uniform(0.9, 1.3), r.uniform(0.0, 0.5), r.uniform(0.35, 0.55)
    body = ball(1.2, 0.2, 0.2).move(z=0.25)
    outline = [(0.3, 0), (-sweep, span), (-sweep - chord / 2, span), (0.3 - chord, 0)]
    for side in (-1, 1):
        shape = [(x, side * y) for x, y in outline][::side]
        body += prism(shape, 0.07).move(z=0.22)
        body += prism([(x / 2, y / 3) for x, y in shape], 0.06).move(x=-0.95, z=0.25)
    return body + prism([(-0.3, 0), (0.2, 0), (-0.2, 0.5)], 0.06).turn("x", 90).move(x=-0.9, z=0.3)


def hammer(r: Random) -> Solid:
    handle, head = r.uniform(1.6, 2.4), r.uniform(0.7, 1.1)
    grip = cylinder(0.12, handle, segments=10).turn("y", 90).move(z=0.2)
    peen = box(0.4, head, 0.4).move(x=handle)
    return grip + peen + cylinder(0.25, 0.2).turn("x", -90).move(x=handle, y=head / 2, z=0.2)


def bolt(r: Random) -> Solid:
    shaft, width = r.uniform(1.0, 1.8), r.uniform(0.3, 0.45)
    thread = [(width * (1.1 - 0.2 * (i % 2)), 0.4 + 0.12 * i) for i in range(int(shaft / 0.12))]
    return star(3, 0.7, 0.7, 0.4) + lathe([(0, 0.4), *thread, (0, thread[-1][1])], 12)


def gear(r: Random) -> Solid:
    teeth, thick = int(r.integers(7, 13)), r.uniform(0.25, 0.5)
    hub = lathe([(0.2, 0), (0.4, 0), (0.4, thick * 1.5), (0.2, thick * 1.5)], 12)
    return star(teeth, 1.0, r.uniform(0.75, 0.85), thick) + hub


def shoe(r: Random) -> Solid:
    heel, high = r.uniform(0.05, 0.35), r.uniform(0.5, 1.1)
    sole = ball(1.1, 0.42, 0.12).move(z=0.12)
    upper = ball(0.65, 0.4, 0.35).move(x=0.4, z=0.3)
    ankle = cylinder(0.42, high, 0.36).move(x=-0.55, z=0.15)
    return (sole + upper + ankle).move(z=heel) + cylinder(0.3, heel + 0.15).move(x=-0.7)


def hat(r: Random) -> Solid:
    brim, h, top = r.uniform(0.9, 1.4), r.uniform(0.5, 1.2), r.uniform(0.4, 0.65)
    outside = [(0, 0), (brim, 0), (brim, 0.08), (0.6, 0.12), (top, h), (top * 0.8, h + 0.1)]
    return lathe([*outside, (0, h + 0.1)])


def house(r: Random) -> Solid:
    x, y, wall, roof = r.uniform((0.9, 0.8, 0.6, 0.4), (1.4, 1.2, 1.0, 0.8))
    gable = prism([(-0.6 * x, 0), (0.6 * x, 0), (0, roof)], 1.1 * y).turn("x", 90)
    chimney = box(0.18, 0.18, roof + 0.1).move(x=0.25 * x, y=0.2 * y, z=wall)
    return box(x, y, wall) + gable.move(y=0.55 * y, z=wall) + chimney


def rocket(r: Random) -> Solid:
    h, nose, fins = r.uniform(1.3, 2.0), r.uniform(0.5, 0.9), int(r.integers(3, 5))
    body = lathe(
        [(0, 0.2), (0.3, 0.2), (0.4, h / 2), (0.35, h), (0.2, h + nose / 2), (0, h + nose)]
    )
    fin = prism([(0.25, 0.1), (0.75, 0), (0.75, 0.3), (0.3, 0.8)], 0.08).turn("x", 90).move(y=0.04)
    for i in range(fins):
        body += fin.turn("z", 360 * i / fins)
    return body


SHAPES = {
    shape.__name__.replace("_", "-"): shape
    for shape in (
        *(bowl, mug, bottle, vase, goblet, teapot, bucket, pan),
        *(chair, stool, table, lamp, sofa, teddy_bear, duck, fish),
        *(rabbit, turtle, tree, cactus, mushroom, car, truck, boat),
        *(plane, hammer, bolt, gear, shoe, hat, house, rocket),
    )
}
