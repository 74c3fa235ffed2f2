CREATE TABLE "slack_installs" (
	"org_id" uuid NOT NULL,
	"state" text NOT NULL,
	"browser" text NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "slack_installs_org_id_state_pk" PRIMARY KEY("org_id","state")
);
--> statement-breakpoint
CREATE TABLE "slack_workspaces" (
	"org_id" uuid NOT NULL,
	"id" text NOT NULL,
	"enterprise" text,
	"name" text NOT NULL,
	"url" text,
	"bot_user_id" text NOT NULL,
	"bot_id" text NOT NULL,
	"scopes" json NOT NULL,
	"installed_by" text NOT NULL,
	"installed_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"key_id" text NOT NULL,
	"access" text NOT NULL,
	"refresh" text,
	"expires_at" timestamp (3) with time zone,
	"lost" text,
	CONSTRAINT "slack_workspaces_org_id_id_pk" PRIMARY KEY("org_id","id")
);
--> statement-breakpoint
ALTER TABLE "slack_installs" ADD CONSTRAINT "slack_installs_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "slack_workspaces" ADD CONSTRAINT "slack_workspaces_org_id_orgs_id_fk" FOREIGN KEY ("org_id") REFERENCES "public"."orgs"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "slack_installs_expires" ON "slack_installs" USING btree ("expires_at");