ALTER TABLE "run_budgets" ADD COLUMN "held" boolean DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX "run_budgets_held" ON "run_budgets" USING btree ("org_id") WHERE "run_budgets"."held";