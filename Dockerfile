# Built with everything, run with what running needs.
FROM node:22-bookworm-slim AS build
WORKDIR /usher
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY scripts scripts
COPY libs libs
COPY apps apps
COPY .swcrc ./
RUN node scripts/build.mjs && npm prune --omit=dev --omit=optional --no-audit --no-fund

FROM node:22-bookworm-slim
ENV NODE_ENV=production USHER_DATA=/data
WORKDIR /usher
COPY --from=build /usher/package.json ./
COPY --from=build /usher/node_modules node_modules
COPY --from=build /usher/dist dist
RUN install -d -o node -g node -m 0700 /data
VOLUME /data
USER node
EXPOSE 1064 9064 9065 9066 9067
ENTRYPOINT ["node", "dist/usher/main.js"]
CMD ["start"]
