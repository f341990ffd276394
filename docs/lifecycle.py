"""Draw the life cycle of a connection from the tables the engines run on.

python docs/lifecycle.py    writes docs/lifecycle.svg

Arrows come from `highper_core.state`: solid ones from ROWS, dashed ones from the joint rules. Only the places of the
boxes, and on which side an arrow bows out, are decided here; a row that has no place here is an error.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

from highper_core.state import JOINT_ROWS, ROWS, Role, State, settle

WIDTH, HEIGHT = 1490, 700
BOX = (192, 38)
COLUMNS = {Role.CLIENT: (310, 630), Role.SERVER: (1050, 1370)}
PLACES: dict[Role, dict[State, tuple[int, int]]] = {
    Role.CLIENT: {
        State.IDLE: (0, 110),
        State.SEND_BODY: (0, 220),
        State.DONE: (0, 350),
        State.MUST_CLOSE: (0, 480),
        State.CLOSED: (0, 590),
        State.MIGHT_SWITCH_PROTOCOL: (1, 350),
        State.SWITCHED_PROTOCOL: (1, 480),
    },
    Role.SERVER: {
        State.IDLE: (0, 110),
        State.SEND_RESPONSE: (0, 200),
        State.SEND_BODY: (0, 290),
        State.DONE: (0, 380),
        State.MUST_CLOSE: (0, 480),
        State.CLOSED: (0, 590),
        State.SWITCHED_PROTOCOL: (1, 200),
    },
}
HEAD = f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"
  font-family="Inter, Helvetica, Arial, sans-serif" font-size="12">
<style>
  .box {{ fill: #ecfdf5; stroke: #334155; stroke-width: 1.5; }}
  .name {{ font-weight: 700; fill: #0f172a; text-anchor: middle; }}
  .role {{ font-weight: 700; font-size: 18px; fill: #0f172a; }}
  .row {{ fill: none; stroke: #0f766e; stroke-width: 1.8; marker-end: url(#row); }}
  .joint {{ fill: none; stroke: #b45309; stroke-width: 1.5; stroke-dasharray: 5 4; marker-end: url(#joint); }}
  .label {{ fill: #334155; paint-order: stroke; stroke: #f8fafc; stroke-width: 4px; }}
</style>
<defs>
<marker id="row" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">
  <path d="M0 0L10 5L0 10z" fill="#0f766e"/></marker>
<marker id="joint" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">
  <path d="M0 0L10 5L0 10z" fill="#b45309"/></marker>
</defs>
<rect width="{WIDTH}" height="{HEIGHT}" fill="#f8fafc"/>
"""
LEGEND = (
    "Solid: an event of that role, one row of the table. Dashed: a joint rule, applied after every event.",
    "What has no arrow is a protocol error: from any state to ERROR, which nothing leaves.",
)

Edge = tuple[State, State]


def rows(role: Role) -> dict[Edge, str]:
    """Return the arrows of the table of `role`, with the inputs that take them."""
    found: dict[Edge, list[str]] = {}
    for before, event, after in ROWS[role]:
        found.setdefault((before, after), []).append(event.name.lower().replace("_", " "))
    return {edge: ", ".join(names) for edge, names in found.items()}


def joint(role: Role) -> dict[Edge, str]:
    """Return the arrows that the joint rules add for `role`, with their condition."""
    found: dict[Edge, list[str]] = {(State.DONE, State.IDLE): ["both done: next cycle"]}
    for before, after in JOINT_ROWS.items():
        if before[role] != after[role] and before[1 - role] not in (State.ERROR,):
            condition = "other side closed" if before[1 - role] is State.CLOSED else "switch accepted"
            found.setdefault((before[role], after[role]), []).append(condition)
    for state in PLACES[role]:
        pair = (state, State.SEND_RESPONSE) if role is Role.CLIENT else (State.SEND_BODY, state)
        cases = (
            ("not persistent", settle(*pair, keep_alive=False, switch_proposed=state is State.MIGHT_SWITCH_PROTOCOL)),
            ("switch proposed", settle(*pair, keep_alive=True, switch_proposed=True)),
            ("switch declined", settle(*pair, keep_alive=True, switch_proposed=False)),
        )
        for condition, settled in cases:
            if settled[role] != state:
                found.setdefault((state, settled[role]), []).append(condition)
    return {edge: " or ".join(dict.fromkeys(conditions)) for edge, conditions in found.items()}


class Drawing:
    """One role's half of the picture."""

    def __init__(self, role: Role) -> None:
        self.role = role
        self.lines: list[str] = []

    def place(self, state: State) -> tuple[int, int]:
        column, y = PLACES[self.role][state]
        return COLUMNS[self.role][column], y

    def arrow(self, kind: str, edge: Edge, label: str) -> None:
        (x1, y1), (x2, y2) = self.place(edge[0]), self.place(edge[1])
        half, tall = BOX[0] // 2, BOX[1] // 2
        order = sorted(y for column, y in PLACES[self.role].values() if column == 0)
        if edge[0] is edge[1]:  # a loop at the right side
            right = x1 + half
            path = f"M{right} {y1 + 2} C{right + 26} {y1 + 2} {right + 18} {y1 + 26} {right - 8} {y1 + tall}"
            at, anchor = (right + 8, y1 + 33), "start"
        elif x1 != x2:
            if y1 == y2:
                side = 1 if x2 > x1 else -1
                off = -8 if side > 0 else 8
                path = f"M{x1 + side * half} {y1 + off} L{x2 - side * half} {y2 + off}"
                at, anchor = ((x1 + x2) // 2, y1 + (off - 5 if side > 0 else off + 14)), "middle"
            else:
                path = f"M{x1 + half} {y1} L{x2 - half + 20} {y2 - tall}"
                at, anchor = ((x1 + x2) // 2 + 14, (y1 + y2) // 2), "start"
        elif PLACES[self.role][edge[0]][0] or (kind == "row" and order.index(y2) - order.index(y1) == 1):
            path = f"M{x1} {y1 + tall} L{x2} {y2 - tall}"
            at, anchor = (x1 + 8, (y1 + y2) // 2 + 4), "start"
        elif kind == "joint" and order.index(y2) - order.index(y1) == 1:
            path = f"M{x1 - 36} {y1 + tall} L{x2 - 36} {y2 - tall}"
            at, anchor = (x1 - 28, (y1 + y2) // 2 + 4), "start"
        else:  # bowed out: at the right when it leads back, else at the left
            side = 1 if y2 < y1 else -1
            depth = 150 if side > 0 else 40 + (y2 - y1) * 3 // 10
            edge_x = x1 + side * half
            out = edge_x + side * depth
            path = (
                f"M{edge_x} {y1 - 12 * side} C{out} {y1 - 12 * side} {out} {y2 + 12 * side} {edge_x} {y2 + 12 * side}"
            )
            at, anchor = (
                (edge_x + side * (depth * 3 // 4), (y1 + y2) // 2 + (30 if side > 0 else 0)),
                "start" if side > 0 else "middle",
            )
        self.lines.append(f'<path class="{kind}" d="{path}"/>')
        self.lines.append(f'<text class="label" x="{at[0]}" y="{at[1]}" text-anchor="{anchor}">{escape(label)}</text>')

    def draw(self) -> list[str]:
        """Return the drawing's elements."""
        for edge, label in rows(self.role).items():
            self.arrow("row", edge, label)
        for edge, label in joint(self.role).items():
            self.arrow("joint", edge, label)
        width, height = BOX
        for state in PLACES[self.role]:
            x, y = self.place(state)
            self.lines.append(
                f'<rect class="box" x="{x - width // 2}" y="{y - height // 2}" '
                f'width="{width}" height="{height}" rx="8"/>'
            )
            self.lines.append(f'<text class="name" x="{x}" y="{y + 4}">{state.name}</text>')
        x, _ = self.place(State.IDLE)
        self.lines.append(f'<text class="role" x="{x}" y="60" text-anchor="middle">{self.role.name}</text>')
        return self.lines


def svg() -> str:
    """Return the whole picture."""
    lines = [HEAD.rstrip()]
    for role in Role:
        lines += Drawing(role).draw()
    for number, text in enumerate(LEGEND):
        lines.append(f'<text class="label" x="40" y="{HEIGHT - 34 + 18 * number}">{escape(text)}</text>')
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    Path(__file__).with_name("lifecycle.svg").write_text(svg())
