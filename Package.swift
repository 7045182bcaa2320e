// swift-tools-version: 6.2
import PackageDescription

// One list of settings for every Swift target: the rules of the house are rules of the compiler.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

// Imports point one way: tacho -> Console -> Sidecar -> {Proxy, Export, Gateway} -> Pipeline -> {Wire, Telemetry}.
let package = Package(
    name: "tachograph",
    products: [
        .executable(name: "tacho", targets: ["tacho"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    ],
    targets: [
        // PURE: bytes to frames. No imports at all beyond the standard library.
        .target(name: "Wire", swiftSettings: strict),
        // PURE: what is measured and what is traced.
        .target(name: "Telemetry", swiftSettings: strict),
        // PURE: breakers and their tuning.
        .target(name: "Resilience", swiftSettings: strict),
        // PURE: simulated traffic, faults and breakers, to judge ours by.
        .target(name: "Lab", dependencies: ["Resilience"], swiftSettings: strict),
        // PURE: frames to messages, through the stages, to a verdict.
        .target(
            name: "Pipeline",
            dependencies: [
                "Wire", "Telemetry", "Resilience",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        // IO: sockets.
        .target(
            name: "Proxy",
            dependencies: [
                "Pipeline", "Telemetry",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        // IO: SQLite as Swift sees it. Knows nothing of what is kept.
        .target(name: "Database", dependencies: ["CSQLite"], swiftSettings: strict),
        // IO: what guards have learned and changed, in SQLite.
        .target(
            name: "GuardStore",
            dependencies: [
                "Database", "Resilience", .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        // IO: the embedded event log, and the protocols it is spoken to with.
        .target(
            name: "EventLog",
            dependencies: [
                "Database", "Wire", "CNettle", "CZstd",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        // IO: OTLP over libcurl, encoded with protobuf-c.
        .target(
            name: "Export",
            dependencies: [
                "Telemetry", "Wire", "COTLP", "CCurl", "CProtobufC", "CZlib",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        // IO: HTTP for people and scrapers.
        .target(
            name: "Gateway",
            dependencies: [
                "Telemetry", "Wire",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        // IO: the HTTP and WebSocket faces of the embedded event log.
        .target(
            name: "EventGateway",
            dependencies: [
                "EventLog", "Gateway", "Pipeline", "Telemetry", "Wire",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        // The composition root: configuration in, services in start order out.
        .target(
            name: "Sidecar",
            dependencies: [
                "Proxy", "EventGateway", "EventLog", "Export", "Gateway", "GuardStore", "Pipeline", "Telemetry",
                "Resilience", "Wire",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: strict
        ),
        // IO: the commands that look into a running sidecar: its HTTP client, over libcurl.
        .target(
            name: "Console",
            dependencies: [
                "EventLog", "Sidecar", "Proxy", "Telemetry", "Wire", "CCurl",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        // IO: the demonstration: a shop, its accidents and the view of them, around a sidecar.
        .target(
            name: "Demo",
            dependencies: [
                "Console", "EventLog", "Proxy", "Sidecar", "Telemetry", "Wire",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "tacho",
            dependencies: [
                "Console", "Demo", "Lab", "Proxy", "Resilience", "Sidecar", "Telemetry", "Wire",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict
        ),

        .systemLibrary(
            name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(
            name: "CProtobufC", pkgConfig: "libprotobuf-c", providers: [.apt(["libprotobuf-c-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CNettle", pkgConfig: "nettle", providers: [.apt(["nettle-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .target(name: "COTLP", dependencies: ["CProtobufC"]),

        // Heap blocks per message: `scripts/bench allocations`.
        .target(name: "AllocationCount", path: "Tests/Bench/AllocationCount"),
        .executableTarget(
            name: "allocations",
            dependencies: [
                "AllocationCount", "Pipeline", "Telemetry", .product(name: "NIOCore", package: "swift-nio"),
            ],
            path: "Tests/Bench/Allocations", swiftSettings: strict
        ),
        // What guards cost a message: `scripts/bench guards`.
        .executableTarget(
            name: "guardcost",
            dependencies: ["Pipeline", "Resilience", "Telemetry", .product(name: "NIOCore", package: "swift-nio")],
            path: "Tests/Bench/Guards", swiftSettings: strict
        ),

        // What stores of streams are compared with.
        .target(
            name: "EventLogSupport", dependencies: ["EventLog"], path: "Tests/EventLogSupport", swiftSettings: strict),

        // Randomness that a seed repeats, and a port that refuses.
        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: strict),

        .testTarget(name: "ResilienceTests", dependencies: ["Resilience", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "WireTests", dependencies: ["TestSupport", "Wire"], swiftSettings: strict),
        .testTarget(name: "LabTests", dependencies: ["Lab", "Resilience"], swiftSettings: strict),
        .testTarget(name: "DemoTests", dependencies: ["Demo", "Telemetry"], swiftSettings: strict),
        .testTarget(name: "TelemetryTests", dependencies: ["Telemetry", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "PipelineTests",
            dependencies: [
                "Pipeline", "Wire", "Telemetry", "Resilience", "TestSupport",
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ProxyTests",
            dependencies: [
                "Proxy", "Pipeline", "Telemetry", "TestSupport",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ExportTests",
            dependencies: [
                "Export", "Telemetry", "TestSupport", "COTLP", "CProtobufC", "CZlib",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "GatewayTests",
            dependencies: [
                "Gateway", "Telemetry",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "EventGatewayTests",
            dependencies: [
                "EventGateway", "EventLog", "EventLogSupport", "Gateway", "Pipeline", "Telemetry", "Wire",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "SidecarTests",
            dependencies: [
                "EventLog", "Gateway", "Sidecar", "Pipeline", "Proxy", "Resilience", "Telemetry",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "GuardStoreTests", dependencies: ["Database", "GuardStore", "Resilience"], swiftSettings: strict),
        .testTarget(
            name: "EventLogTests",
            dependencies: [
                "Database", "EventLog", "EventLogSupport", "TestSupport", "Wire",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ],
            swiftSettings: strict),
        .testTarget(name: "ConsoleTests", dependencies: ["Console", "Proxy", "Telemetry"], swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
