import type { Sample } from "./sample.ts";
import { bo, cy } from "./sample.ts";

const weekly = `-- Revenue by week, newest first. Amounts are cents.
select
  date_trunc('week', paid_at) as week,
  count(*) as orders,
  sum(amount_cents) as revenue_cents
from orders
where status = 'paid'
group by 1
order by 1 desc;
`;

const churn = `-- Customers who ordered in one month and not in the next.
with monthly as (
  select distinct customer_id, date_trunc('month', paid_at) as month
  from orders
  where status = 'paid'
)
select now_month.month, count(*) as lost
from monthly as now_month
left join monthly as next_month
  on next_month.customer_id = now_month.customer_id
  and next_month.month = now_month.month + interval '1 month'
where next_month.customer_id is null
group by 1
order by 1 desc;
`;

const topArticles = `-- The twenty articles that sold best in the last 90 days.
select sku, sum(quantity) as sold
from order_lines
where ordered_at > now() - interval '90 days'
group by sku
order by sold desc
limit 20;
`;

const lint = `#!/bin/sh
# Every query says in its first line what it answers, and none writes. Run: sh scripts/lint.sh
bad=0
for file in sql/*.sql; do
  head -n 1 "$file" | grep -q '^-- ' || { echo "$file: the first line does not say what it answers"; bad=1; }
  if grep -Eiq '^[[:space:]]*(insert|update|delete|drop|truncate|alter|grant)[[:space:]]' "$file"; then
    echo "$file: reports only read"
    bad=1
  fi
  tail -c 1 "$file" | grep -q . && { echo "$file: no newline at the end"; bad=1; }
done
[ "$bad" -eq 0 ] && echo "all queries read, and say what for"
exit "$bad"
`;

/** Queries that the data team owns: reading is free, the data itself is behind a wall. */
export const reports: Sample = {
  name: "acme/reports",
  defaultBranch: "main",
  description: "Queries behind the weekly numbers",
  commits: [
    {
      message: "Weekly revenue and churn",
      author: cy,
      at: "2026-01-20T08:20:00Z",
      files: {
        "README.md": `# Reports

One query per file in sql/. The first line says what it answers.

    sh scripts/lint.sh
`,
        "sql/weekly-revenue.sql": weekly,
        "sql/churn.sql": churn,
      },
    },
    {
      message: "Best sellers, and a lint for queries",
      author: bo,
      at: "2026-01-27T11:45:00Z",
      files: { "sql/top-articles.sql": topArticles, "scripts/lint.sh": lint },
    },
  ],
};
