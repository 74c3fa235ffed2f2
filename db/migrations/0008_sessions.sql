CREATE TABLE "sessions" (
	"org_id" uuid NOT NULL,
	"digest" text NOT NULL,
	"provider" text NOT NULL,
	"workspace" text NOT NULL,
	"external_id" text NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "sessions_org_id_digest_pk" PRIMARY KEY("org_id","digest")
);
--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "sessions_expires" ON "sessions" USING btree ("expires_at");