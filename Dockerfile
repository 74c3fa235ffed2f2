# One image for every role; docs/deploy.md says how it is run. Nothing in it is secret and nothing is configured in it.
FROM node:24.21.0-bookworm-slim AS dependencies
WORKDIR /srv/countersign
COPY package.json package-lock.json .npmrc ./
# Node is here already, and no package of ours needs its install script.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM node:24.21.0-bookworm-slim
# bubblewrap is the wall of local sandboxes, git is for the relay, tini takes away what ended processes leave.
RUN apt-get update \
  && apt-get install -y --no-install-recommends bubblewrap ca-certificates git tini \
  && rm -rf /var/lib/apt/lists/* \
  && install -d -o node -g node -m 0755 /data
WORKDIR /srv/countersign
COPY --from=dependencies /srv/countersign/node_modules ./node_modules
COPY package.json LICENSE ./
COPY src ./src
COPY db ./db
COPY images ./images
COPY policies ./policies
# The root may be read-only: what npm keeps when it installs an agent goes beside the data.
ENV NODE_ENV=production COUNTERSIGN_DATA=/data HOST=0.0.0.0 PORT=3000 COUNTERSIGN_HEALTH_PORT=3001 npm_config_cache=/data/npm
USER node
VOLUME ["/data"]
EXPOSE 3000 8443
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.COUNTERSIGN_HEALTH_PORT}/health`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "--", "node", "src/main.ts"]
CMD ["serve"]
