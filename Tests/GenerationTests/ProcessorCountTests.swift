import Foundation
import SwiftletTestSupport
import Testing

@testable import SwiftletGeneration

/// How many processors there are for this process.
@Suite struct ProcessorCountTests {
  @Test func quotasOfControlGroups() {
    func quota(_ groups: String, _ mounts: String, _ files: [String: String]) -> Double? {
      ProcessorCount.quota(groups: groups, mounts: mounts) { files[$0] }
    }
    let mounts1 = """
      32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
      35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
      """
    let groups1 = "4:cpu,cpuacct:/outer/inner\n9:memory:/\n", folder1 = "/sys/fs/cgroup/cpu,cpuacct/outer/"
    #expect(quota(groups1, mounts1, [folder1 + "cpu.cfs_quota_us": "-1\n", folder1 + "cpu.cfs_period_us": "100000\n"]) == nil)
    #expect(
      quota(groups1, mounts1, [folder1 + "cpu.cfs_quota_us": "250000\n", folder1 + "cpu.cfs_period_us": "100000\n"]) == 2.5)
    let mounts2 = "31 23 0:28 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw"
    let files2 = [
      "/sys/fs/cgroup/user/app/cpu.max": "max 100000\n", "/sys/fs/cgroup/user/cpu.max": "50000 100000\n",
      "/sys/fs/cgroup/cpu.max": "800000 100000\n",
    ]
    #expect(quota("0::/user/app\n", mounts2, files2) == 0.5)
    for broken in ["", "max", "x y", "0 0", "1", "1 2 3"] {
      #expect(quota("0::/\n", mounts2, ["/sys/fs/cgroup/cpu.max": broken]) == nil)
    }
    #expect(ProcessorCount.available >= 1)
    #expect(ProcessorCount.affinity(status: "Name:\tx\nCpus_allowed:\tc,0000000f\nCpus_allowed_list:\t0-3,34-35\n") == 6)
    for broken in ["", "Name: f", "Cpus_allowed:\n", "Cpus_allowed: 0"] {
      #expect(ProcessorCount.affinity(status: broken) == nil)
    }
  }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/taskset")))
  func processorsThatItMayNotRunOnDoNotCount() throws {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let allowed = try #require(status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") })
    let first = try #require(allowed.split(whereSeparator: { !$0.isNumber }).first)
    let process = Process(), output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/taskset")
    process.arguments = [
      "--cpu-list", String(first), try BuiltCommand.path(), "bench", TinyModels.gguf("llama-gqa-tied"), "--prompt", "8",
      "--generate", "2", "--repetitions", "1",
    ]
    process.environment = ["PATH": "/usr/bin:/bin"]
    process.standardOutput = output
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(text.contains(", 1 threads"), "\(text)")
  }
}
