import Glibc
public import Telemetry

/// The `process_*` metrics, read from the kernel at each scrape.
public struct ProcessStatistics: Sendable {
    /// Seconds since the Unix epoch.
    private let startUnixSeconds: Double?

    /// Notes when the process started; the clocks are read here, once.
    public init() {
        startUnixSeconds = Self.read("/proc/self/stat").flatMap(ProcessStatus.init(parsing:)).map { status in
            let ticksPerSecond = Double(sysconf(Int32(_SC_CLK_TCK)))
            let ageSeconds = Self.seconds(CLOCK_BOOTTIME) - Double(status.startTicks) / ticksPerSecond
            return Self.seconds(CLOCK_REALTIME) - ageSeconds
        }
    }

    /// Adds the values to every scrape of `registry`.
    public func register(in registry: MetricsRegistry) {
        registry.onScrape { sample(into: &$0) }
    }

    /// Sets what could be read; a value that the system withholds is left out.
    func sample(into samples: inout ScrapeSamples) {
        samples.set(MetricCatalog.processCPU, value: Self.seconds(CLOCK_PROCESS_CPUTIME_ID))
        if let startUnixSeconds { samples.set(MetricCatalog.processStartTime, value: startUnixSeconds) }
        if let status = Self.read("/proc/self/stat").flatMap(ProcessStatus.init(parsing:)) {
            let pageBytes = UInt64(sysconf(Int32(_SC_PAGESIZE)))
            samples.set(MetricCatalog.processResidentMemory, value: status.residentPages &* pageBytes)
        }
        if let count = Self.openDescriptors() { samples.set(MetricCatalog.processOpenDescriptors, value: count) }
    }

    private static func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// The descriptors in use, without the one that counts them.
    private static func openDescriptors() -> UInt64? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count: UInt64 = 0
        while let entry = readdir(directory) {
            if entry.pointee.d_name.0 != CChar(UInt8(ascii: ".")) { count += 1 }
        }
        return count - 1
    }

    /// The first 4 KiB of a file, which is more than these files have.
    private static func read(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var count = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, initialized in
            count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            initialized = max(0, count)
        }
        return count > 0 ? bytes : nil
    }
}

/// What we want of `/proc/self/stat` (proc_pid_stat(5)): fields 22 and 24, counted from 1.
struct ProcessStatus: Equatable {
    /// Clock ticks from boot to the start of the process.
    var startTicks: UInt64
    var residentPages: UInt64

    /// The second field is the program's name in parentheses and may itself contain spaces and parentheses, so the
    /// others are counted from the last closing one.
    init?(parsing text: [UInt8]) {
        guard let nameEnd = text.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = text[(nameEnd + 1)...].split(separator: UInt8(ascii: " "))
        guard fields.count > 21, let start = Self.number(fields[19]), let pages = Self.number(fields[21]) else {
            return nil
        }
        startTicks = start
        residentPages = pages
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
        UInt64(String(decoding: digits, as: UTF8.self))
    }
}
