/**
 * The palette: warm paper, one accent, light and dark. Each pair of text and ground passes WCAG AA. The playground and
 * the pull request page use the same.
 */
export const PALETTE = `:root{color-scheme:light dark;
--paper:#fbfaf7;--card:#fff;--ink:#1d1c1a;--soft:#6a665f;--line:#e6e2da;--accent:#0b6e4f;--accent-ink:#fff;
--ok:#0b6e4f;--ok-bg:#e5f3ec;--no:#b3261e;--no-bg:#fbe9e7;--wait:#8a5a00;--wait-bg:#fdf1d8;--info:#1f5fa8;--info-bg:#e6eff9;
--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;--sans:system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;--r:10px}
@media(prefers-color-scheme:dark){:root{--paper:#161513;--card:#1f1e1b;--ink:#ece9e2;--soft:#a09a8f;--line:#34312c;--accent:#5cc79c;--accent-ink:#0d1f18;
--ok:#6fd3a8;--ok-bg:#153025;--no:#ff9a90;--no-bg:#3a1b18;--wait:#f0c060;--wait-bg:#352a12;--info:#8fbcf0;--info-bg:#15263a}}
`;

/** What every page has. */
const BASE = `*{box-sizing:border-box}[hidden]{display:none!important}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 var(--sans);overflow-wrap:break-word}
main{max-width:1080px;margin:0 auto;padding:24px 20px 80px}
a{color:inherit;text-decoration-color:color-mix(in srgb,var(--soft) 45%,transparent);text-underline-offset:3px}a:hover{text-decoration-color:currentColor}
h1{font-size:24px;line-height:1.25;margin:6px 0 4px;font-weight:650;letter-spacing:-.01em}h1 .pill{vertical-align:3px;letter-spacing:0}
h2{font-size:13px;letter-spacing:.04em;text-transform:uppercase;color:var(--soft);margin:0 0 10px;font-weight:650}h2 .mono{text-transform:none;letter-spacing:0}
p{margin:0}.crumb{color:var(--soft);font-size:13px}.who{color:var(--soft)}.who b{color:var(--ink);font-weight:600}.gap{margin-top:12px}
.pill{display:inline-flex;align-items:center;gap:6px;border-radius:99px;padding:2px 10px;font-size:12.5px;font-weight:600;white-space:nowrap;line-height:1.5}
.pill svg{width:12px;height:12px;flex:none}.ok{color:var(--ok);background:var(--ok-bg)}.no{color:var(--no);background:var(--no-bg)}.wait{color:var(--wait);background:var(--wait-bg)}.info{color:var(--info);background:var(--info-bg)}.plain{color:var(--soft);background:color-mix(in srgb,var(--ink) 6%,transparent)}
section{background:var(--card);border:1px solid var(--line);border-radius:var(--r);padding:16px 18px;margin-bottom:16px}
table{border-collapse:collapse;width:100%;font-size:14px}td,th{padding:6px 8px 6px 0;text-align:left;vertical-align:top;border-top:1px solid var(--line);font-weight:400}tr:first-child>*{border-top:0}th{color:var(--soft);font-size:12.5px}td.cont{border-top:0;padding-top:0}
.n{text-align:right!important;font-variant-numeric:tabular-nums;white-space:nowrap;padding-right:0}
code,.mono{font-family:var(--mono);font-size:12.8px}.mono,code{overflow-wrap:anywhere}.rule{font-family:var(--mono);font-size:12.5px;color:var(--soft);overflow-wrap:anywhere}
blockquote{margin:4px 0 0;padding:0 0 0 12px;border-left:3px solid var(--line);white-space:pre-wrap;overflow-wrap:anywhere}
pre{margin:0;padding:10px 12px;background:color-mix(in srgb,var(--ink) 4%,transparent);font-size:12.4px;line-height:1.45;overflow:auto;font-family:var(--mono)}
.lines{margin:0;padding:0;list-style:none}.lines code{display:block;padding:2px 0;user-select:all}
.add{color:var(--ok)}.del{color:var(--no)}.num{font-variant-numeric:tabular-nums;white-space:nowrap}
.btn{display:inline-block;background:var(--accent);color:var(--accent-ink);border:1px solid var(--accent);border-radius:8px;padding:8px 14px;font:inherit;font-weight:600;text-decoration:none;cursor:pointer}.btn:hover{filter:brightness(1.06)}.btn.quiet{background:transparent;color:var(--ink);border-color:var(--line)}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.sr{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.top{margin-bottom:16px}aside td{overflow-wrap:anywhere}aside .n{overflow-wrap:normal}td:first-child.num{width:1%;padding-right:14px}
.runs td:nth-child(2){width:100%;padding-right:18px}.runs :nth-child(4).n{padding:6px 18px}.runs .who{white-space:nowrap}.runs td:nth-child(2) .who{white-space:normal}@media(max-width:680px){.runs tr{display:grid;grid-template-columns:auto 1fr auto;border-top:1px solid var(--line);padding:6px 0}.runs tr:first-child{display:none}.runs tr:nth-child(2){border-top:0}.runs td{border:0;padding:2px 8px 2px 0}.runs td:nth-child(2){grid-column:2/4}.runs td:nth-child(3){grid-column:2}.runs td:nth-child(5){grid-column:3;grid-row:2;padding-right:0}.runs td:nth-child(4).n{grid-column:2/4;text-align:left!important;padding:2px 0}.runs td br{display:none}.runs td:nth-child(2) br{display:inline}}
.note{max-width:560px;margin:12vh auto 0}.note p{margin:8px 0}
`;

/** The record of a run: its life drawn in proportion, and what happened in order. */
const RECORD = `.life{display:flex;height:34px;border-radius:var(--r);overflow:hidden;margin:18px 0 6px;border:1px solid var(--line);background:var(--card)}
.life div{flex:1 1 0;height:32px;padding:0 8px;font-size:12px;line-height:32px;white-space:nowrap;overflow:hidden;display:flex;flex-wrap:wrap;column-gap:5px;border-right:1px solid var(--line);min-width:4px;font-variant-numeric:tabular-nums}.life div:before{content:"";width:0;height:32px;margin-right:-5px}.life .bare{padding:0}.life div:last-child{border:0}
.legend{display:flex;justify-content:space-between;gap:12px;color:var(--soft);font-size:12px;margin-bottom:22px;font-variant-numeric:tabular-nums}.legend>:nth-child(2){text-align:center}@media(max-width:560px){.legend{flex-wrap:wrap;gap:2px 12px}.legend>:nth-child(2){order:3;flex-basis:100%;text-align:left}}
.grid{display:grid;grid-template-columns:1fr 320px;gap:0 20px}.grid>*{min-width:0}@media(max-width:860px){.grid{grid-template-columns:minmax(0,1fr)}}
ol.time{list-style:none;margin:0;padding:0}ol.time>li{position:relative;padding:0 0 14px 26px}ol.time>li:before{content:"";position:absolute;left:7px;top:22px;bottom:-2px;width:1px;background:var(--line)}ol.time>li:last-child{padding-bottom:0}ol.time>li:last-child:before{display:none}
.mark{position:absolute;left:0;top:4px;width:15px;height:15px;border-radius:50%;display:grid;place-items:center}.mark svg{width:11px;height:11px}
.t{color:var(--soft);font-size:12.5px;float:right;margin-left:10px;font-variant-numeric:tabular-nums}
details{margin-top:6px;border:1px solid var(--line);border-radius:8px;overflow:hidden}summary{cursor:pointer;padding:6px 10px;font-family:var(--mono);font-size:12.8px;list-style:none;display:flex;gap:10px;align-items:flex-start}summary::-webkit-details-marker{display:none}summary:before{content:"";flex:none;width:7px;height:7px;margin:6px 1px 0 0;border:solid var(--soft);border-width:0 1.5px 1.5px 0;transform:rotate(-45deg)}details[open]>summary:before{transform:translateY(-2px) rotate(45deg)}summary>:first-child{overflow-wrap:anywhere;min-width:0}summary>:last-child{flex:none;margin-left:auto}summary:hover{background:color-mix(in srgb,var(--ink) 3%,transparent)}details>pre{border-top:1px solid var(--line);max-height:420px}summary:focus-visible{outline-offset:-2px}
.long>blockquote{margin:0;padding:8px 12px;border-left:0;border-top:1px solid var(--line);font-size:13.5px}
.aside{color:var(--soft);font-size:12.5px;padding:6px 12px;border-top:1px solid var(--line)}
progress.bar{appearance:none;display:block;width:100%;height:8px;border:0;border-radius:99px;overflow:hidden;background:var(--line);margin:6px 0 4px}progress.bar::-webkit-progress-bar{background:var(--line)}progress.bar::-webkit-progress-value{background:var(--accent)}progress.bar::-moz-progress-bar{background:var(--accent)}
.live{color:var(--soft);font-size:12.5px}@media(prefers-reduced-motion:no-preference){.new{animation:new 1.2s ease-out}@keyframes new{from{background:var(--info-bg)}}}
${Array.from({ length: 100 }, (_, n) => `.life .g${n + 1}{flex-grow:${n + 1}}`).join("")}
`;

/** A change, line by line, and Markdown. */
const CHANGE = `.diff{margin:0 0 12px;background:var(--card);overflow:clip}.diff .aside{border-top:0}.diff>summary{position:sticky;top:0;z-index:1;background:var(--card);border-radius:8px;font-family:var(--mono)}.diff[open]>summary{border-bottom:1px solid var(--line);border-radius:8px 8px 0 0}.diff>summary:hover{background:var(--card)}
.scroll{overflow-x:auto}.diff table{font-family:var(--mono);font-size:12.4px;line-height:1.5;border-spacing:0;min-width:100%;width:max-content}.diff td{border:0;padding:0 10px;white-space:pre;tab-size:4;overflow-wrap:normal}
.diff td:last-child{width:100%}.diff .l{min-width:44px;padding:0 8px;text-align:right;color:var(--soft);user-select:none;font-variant-numeric:tabular-nums}.diff .l:before{content:attr(data-n)}.diff .s{padding:0 0 0 8px;user-select:none}.diff .s:before{content:attr(data-s)}
.diff .a td{background:var(--ok-bg)}.diff .a .s{color:var(--ok)}.diff .d td{background:var(--no-bg)}.diff .d .s{color:var(--no)}.diff .h td{background:var(--info-bg);color:var(--info);padding-top:2px;padding-bottom:2px}.diff .m td{color:var(--soft)}
.md>:first-child{margin-top:0}.md>:last-child{margin-bottom:0}.md h3,.md h4,.md h5{font-size:15px;margin:16px 0 6px;font-weight:650}.md p,.md ul,.md ol{margin:8px 0}.md ul,.md ol{padding-left:22px}.md blockquote{color:var(--soft);white-space:normal}.md pre{border:1px solid var(--line);border-radius:8px;margin:8px 0}.md table{margin:8px 0;display:block;overflow-x:auto;width:auto;max-width:100%}.md td,.md th{padding-right:18px}.md hr{border:0;border-top:1px solid var(--line);margin:14px 0}.md code{background:color-mix(in srgb,var(--ink) 5%,transparent);border-radius:4px;padding:1px 4px}.md pre code{background:none;padding:0}
.acts{display:flex;gap:10px;align-items:center;flex-wrap:wrap}.acts form{margin:0}.sign{vertical-align:-1px}.banner{border-left:4px solid currentColor}.banner p{margin:0;color:var(--ink)}.banner p+p{margin-top:6px}
`;

/** The one style sheet, inline in each page; its hash is in the page's content security policy. */
export const STYLE = PALETTE + BASE + RECORD + CHANGE;
