"""The style sheet of all pages: light or dark as the reader's system is, readable on a phone, and fit for print."""

from __future__ import annotations

CSS = """
:root { color-scheme: light dark; --ink: #22303c; --soft: #5b6b78; --line: #dfe5ea; --paper: #fff; --tint: #f5f8fa;
  --good: #1b6b3a; --bad: #b3261e; --warn: #8a5a00; --link: #0b6e99;
  --c0: #0b6e99; --c1: #b3261e; --c2: #b07d00; --c3: #1b6b3a; --c4: #6a3fb5; --c5: #00796b;
  --c6: #ad1457; --c7: #5b6b78; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.35rem; line-height: 1.25; margin: .5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; padding-bottom: .2rem; border-bottom: 1px solid var(--line); }
.verdict { border-left: .4rem solid var(--soft); background: var(--tint); padding: .8rem 1rem; margin: 1rem 0; }
.verdict.good { border-color: var(--good); } .verdict.bad { border-color: var(--bad); }
.verdict .word { font-weight: 700; } .good .word { color: var(--good); } .bad .word { color: var(--bad); }
.verdict .value { font-size: 1.9rem; font-weight: 700; line-height: 1.2; overflow-wrap: anywhere; }
.note { color: var(--warn); } .soft { color: var(--soft); font-size: .9rem; font-weight: 400; }
ul.reasons { padding-left: 1.2rem; margin: .4rem 0; } ul.reasons code { white-space: normal; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1.2rem; }
figure { margin: 0; max-width: 40rem; break-inside: avoid; } figcaption { font-weight: 600; margin-bottom: .2rem; }
svg { width: 100%; height: auto; display: block; font-family: system-ui, sans-serif; }
svg text { font-size: 10px; fill: var(--ink); } svg text.mark { fill: var(--bad); } svg .grid { stroke: var(--line); stroke-width: .7; }
svg .axis { stroke: var(--soft); } svg .rule { stroke: var(--bad); stroke-dasharray: 4 3; }
svg .line { fill: none; stroke: var(--own); stroke-width: 1.5; } svg .area { fill: var(--own); fill-opacity: .65; }
svg .dot { fill: var(--own); }
.c0 { --own: var(--c0); } .c1 { --own: var(--c1); } .c2 { --own: var(--c2); } .c3 { --own: var(--c3); } .c4 { --own: var(--c4); }
.c5 { --own: var(--c5); } .c6 { --own: var(--c6); } .c7 { --own: var(--c7); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); }
td { overflow-wrap: anywhere; } th { white-space: nowrap; }
td:first-child { overflow-wrap: normal; white-space: nowrap; }
table.names td:first-child { white-space: normal; overflow-wrap: anywhere; min-width: 12rem; }
table.names td { overflow-wrap: break-word; } table.names td:last-child { white-space: nowrap; }
td:nth-child(2):not(:last-child) { min-width: 9rem; }
summary { cursor: pointer; font-weight: 600; margin: .6rem 0; } td.number { text-align: right; white-space: nowrap; }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
a { color: var(--link); } footer { margin-top: 2rem; color: var(--soft); font-size: .85rem; }
td.word { font-weight: 700; } td.word.good { color: var(--good); } td.word.bad { color: var(--bad); }
td.word.open { color: var(--warn); } .best { color: var(--good); } body.gone main { opacity: .5; }
.controls { display: flex; flex-wrap: wrap; gap: .5rem 1rem; margin: 1rem 0; font-size: .9rem; align-items: end; }
.controls label { display: flex; flex-direction: column; }
.controls label:last-child { flex-direction: row; gap: .4rem; align-items: center; }
.controls input, .controls select { font: inherit; padding: .25rem .4rem; color: var(--ink); background: var(--paper);
  border: 1px solid var(--soft); border-radius: .25rem; max-width: 16rem; height: 2.1rem; }
.controls input[type=checkbox] { height: auto; margin: .6rem 0; }
th button { font: inherit; font-weight: 700; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
th[aria-sort=ascending] button::after { content: " \\2191"; } th[aria-sort=descending] button::after { content: " \\2193"; }
tr.group th { padding-top: 1rem; font-size: 1rem; } .runs td:nth-child(2):not(:last-child) { min-width: 0; } tr[hidden] { display: none; }
.sides { table-layout: fixed; } .sides th { white-space: normal; overflow-wrap: anywhere; } .sides th:first-child { width: 12rem; }
.named { padding-left: 0; list-style: none; }
.runs td { overflow-wrap: normal; } .runs td:nth-child(5) { overflow-wrap: anywhere; }
main:has(table.runs), main:has(table.sides) { max-width: 90rem; }
@media (min-width: 70rem) { .runs td:last-child { white-space: nowrap; } }
td.differs { background: var(--tint); } .command { white-space: pre-wrap; }
@media (max-width: 40rem) {
  table.runs tr[hidden] { display: none !important; }
  table.stack thead { display: none; }
  table.stack tr { display: block; padding: .4rem 0; border-bottom: 1px solid var(--line); }
  table.stack th[scope=row] { display: block; border: 0; padding: .05rem 0; }
  table.stack td { display: block; border: 0; padding: .05rem 0; text-align: left; }
  table.stack td:first-child { font-weight: 600; white-space: normal; overflow-wrap: anywhere; }
  h1 { font-size: 1.15rem; }
  table.sides { min-width: 0 !important; } table.sides td:empty { display: none; }
  table.stack td[data-label]:not(:first-child):not(:empty)::before { content: attr(data-label) ": "; color: var(--soft);
    font-weight: 400; }
}
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e4e9ed; --soft: #a3b1bc; --line: #37444f; --paper: #161c21; --tint: #1f272e;
    --good: #6fcf97; --bad: #ff8a80; --warn: #f0c060; --link: #7cc4e8; --c0: #5fb6dd; --c1: #ff8a80; --c2: #f0c060; --c3: #6fcf97;
    --c4: #c9a0ff; --c5: #8fd3c8; --c6: #f2a5c4; --c7: #b5bec6; }
}
@media print {
  body { font-size: 10pt; } main { max-width: none; padding: 0; } a { color: inherit; text-decoration: none; }
  h2 { break-after: avoid; } tr { break-inside: avoid; } .scroll { overflow: visible; }
  .charts { grid-template-columns: 1fr 1fr; }
  details::details-content { content-visibility: visible; display: block; } summary { list-style: none; }
}
"""
