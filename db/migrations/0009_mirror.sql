ALTER TABLE "runs" ADD COLUMN "mirror_provider" text;--> statement-breakpoint
ALTER TABLE "runs" ADD COLUMN "mirror_workspace" text;--> statement-breakpoint
ALTER TABLE "runs" ADD COLUMN "mirror_channel" text;--> statement-breakpoint
ALTER TABLE "runs" ADD COLUMN "mirror_thread" text;--> statement-breakpoint
ALTER TABLE "runs" ADD COLUMN "ticket" json;--> statement-breakpoint
CREATE INDEX "runs_mirror" ON "runs" USING btree ("mirror_provider","mirror_workspace","mirror_channel","mirror_thread","number") WHERE "runs"."mirror_thread" <> '';