# The images, for those who have Docker; `make image` writes the same layout
# without it.
#
#   docker build --target sidecar  -t credence/sidecar  .
#   docker build --target operator -t credence/operator .

FROM rust:1.95.0-slim-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends musl-tools \
    && rustup target add x86_64-unknown-linux-musl
WORKDIR /source
COPY . .
RUN CC_x86_64_unknown_linux_musl=musl-gcc cargo build --locked --release \
    --target x86_64-unknown-linux-musl -p credence-sidecar -p credence-operator

# 2733 is a user of the sidecar's own, so that an app in the same pod cannot
# look into its memory.
FROM scratch AS sidecar
COPY --from=build /source/target/x86_64-unknown-linux-musl/release/credence-sidecar /credence-sidecar
USER 2733:2733
WORKDIR /
ENTRYPOINT ["/credence-sidecar"]

FROM scratch AS operator
COPY --from=build /source/target/x86_64-unknown-linux-musl/release/credence-operator /credence-operator
USER 65532:65532
WORKDIR /
ENTRYPOINT ["/credence-operator"]
