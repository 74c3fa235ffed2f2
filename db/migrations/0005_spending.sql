CREATE TABLE "month_spending" (
	"org_id" uuid NOT NULL,
	"month" text NOT NULL,
	"team" text NOT NULL,
	"person_id" uuid NOT NULL,
	"usd" double precision NOT NULL,
	"tokens" bigint NOT NULL,
	CONSTRAINT "month_spending_org_id_month_team_person_id_pk" PRIMARY KEY("org_id","month","team","person_id")
);
--> statement-breakpoint
CREATE TABLE "run_budgets" (
	"org_id" uuid NOT NULL,
	"run_id" uuid PRIMARY KEY NOT NULL,
	"spent_usd" double precision DEFAULT 0 NOT NULL,
	"spent_tokens" bigint DEFAULT 0 NOT NULL,
	"allotted_usd" double precision,
	"allotted_tokens" bigint
);
--> statement-breakpoint
ALTER TABLE "month_spending" ADD CONSTRAINT "month_spending_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "month_spending" ADD CONSTRAINT "month_spending_person_id_people_id_fk" FOREIGN KEY ("person_id") REFERENCES "public"."people"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "run_budgets" ADD CONSTRAINT "run_budgets_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "run_budgets" ADD CONSTRAINT "run_budgets_run_id_runs_id_fk" FOREIGN KEY ("run_id") REFERENCES "public"."runs"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "month_spending_person" ON "month_spending" USING btree ("org_id","month","person_id");--> statement-breakpoint
INSERT INTO "run_budgets" ("org_id", "run_id", "spent_usd", "spent_tokens")
WITH called AS MATERIALIZED (
  SELECT "org_id", "run_id", "body" FROM "run_events" WHERE strpos("body"::text, '"kind":"model.called"') > 0
)
SELECT "org_id", "run_id", sum(("body"->>'usd')::float8),
  sum(("body"->>'inputTokens')::float8 + ("body"->>'outputTokens')::float8)::bigint
FROM called WHERE "body"->>'kind' = 'model.called' GROUP BY "org_id", "run_id";
--> statement-breakpoint
INSERT INTO "month_spending" ("org_id", "month", "team", "person_id", "usd", "tokens")
WITH called AS MATERIALIZED (
  SELECT "run_id", "at", "body" FROM "run_events" WHERE strpos("body"::text, '"kind":"model.called"') > 0
)
SELECT r."org_id", to_char(c."at" AT TIME ZONE 'UTC', 'YYYY-MM'), r."team", r."requester_id", sum((c."body"->>'usd')::float8),
  sum((c."body"->>'inputTokens')::float8 + (c."body"->>'outputTokens')::float8)::bigint
FROM called c JOIN "runs" r ON r."id" = c."run_id" WHERE c."body"->>'kind' = 'model.called' GROUP BY 1, 2, 3, 4;
