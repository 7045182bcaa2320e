# The sidecar as an image: built with the Swift toolchain, run on a slim Debian without it.

FROM swift:6.3-bookworm AS build
WORKDIR /src
COPY scripts/setup scripts/setup
RUN scripts/setup && rm -rf /var/lib/apt/lists/*
COPY Package.swift ./
COPY Sources Sources
COPY Tests Tests
RUN --mount=type=cache,target=/src/.build \
    swift build --configuration release --product tacho --static-swift-stdlib \
    && install -D --strip .build/release/tacho /out/tacho

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libcurl4 libprotobuf-c1 libsqlite3-0 libzstd1 libnettle8 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/tacho --create-home tacho
COPY --from=build /out/tacho /usr/local/bin/tacho
USER tacho
WORKDIR /var/lib/tacho
# A listener; metrics and health. What is listened on is decided by the arguments: the default stays on loopback.
EXPOSE 16379 9464
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/tacho"]
CMD ["run"]
