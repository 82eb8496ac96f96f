// SPDX-License-Identifier: Apache-2.0
// The folders show the architecture; these tests keep it that way.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "gtest/gtest.h"

namespace felix {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = FELIX_SOURCE_DIR;

// Which folders may include from which. Whatever is not named here must not happen.
const std::map<std::string, std::set<std::string>> kMayInclude = {
    {"model", {"model"}},
    {"compiler/ir", {"compiler/ir", "model"}},
    {"compiler", {"compiler", "compiler/ir", "model"}},
    {"iptables", {"iptables", "compiler/ir", "model"}},  // never ipset
    {"ipset", {"ipset", "compiler/ir", "model"}},        // never iptables
    {"datastore", {"datastore", "model"}},               // never the compiler
    {"felix/replay",
     {"felix/replay", "felix", "datastore", "compiler", "compiler/ir", "iptables", "ipset",
      "model"}},
    {"felix", {"felix", "datastore", "compiler", "compiler/ir", "iptables", "ipset", "model"}},
};

// Libraries that enter through one folder, and often one file.
const std::map<std::string, std::set<std::string>> kOnlyIn = {
    {"libiptc/", {"iptables/libiptc_table.cc"}},
    {"libipset/", {"ipset/libipset_sets.cc"}},
    {"libmnl/",
     {"ipset/member_writer.cc", "ipset/netlink_attributes.h", "ipset/set_reader.cc",
      "felix/netlink"}},
    {"yaml-cpp/", {"datastore"}},
    {"openssl/", {"model/base/hash.cc"}},
    {"boost/", {"datastore/etcd"}},
    {"CLI/", {"felix/main.cc", "felix/replay"}},
    {"zlib.h", {"datastore/snapshot/unpacking.cc"}},
    {"zstd.h", {"datastore/snapshot/unpacking.cc"}},
    {"spdlog/", {"felix"}},
    {"rapidjson/", {"datastore", "felix"}},
};

// Files that must be at the root for tools or users to find them, beside the folders.
const std::set<std::string> kTopLevel = {
    "CMakeLists.txt", "CMakePresets.json",
    "felix",          "model",
    "compiler",       "iptables",
    "ipset",          "datastore",
    "bench",          "tests",
    "docs",           "README.md",
    "LICENSE",        "demo.sh",
    "test.sh",        ".ci",
    ".clang-format",  ".clang-tidy",
    ".gitignore",     ".git",
    "build",
};

struct Include {
  std::string file;    // from the root
  std::string folder;  // of kMayInclude
  std::string target;
};

std::string FolderOf(const std::string& path) {
  std::string best;
  for (const auto& [folder, allowed] : kMayInclude) {
    if (path.starts_with(folder + "/") && folder.size() > best.size()) best = folder;
  }
  return best;
}

std::vector<fs::path> SourceFiles() {
  std::vector<fs::path> files;
  for (const auto& [folder, allowed] : kMayInclude) {
    if (folder.find('/') != std::string::npos) continue;
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
      const std::string extension = entry.path().extension();
      if (extension == ".h" || extension == ".cc") files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<Include> Includes() {
  static const std::regex kInclude(R"(^\s*#\s*include\s*["<]([^">]+)[">])");
  std::vector<Include> includes;
  for (const fs::path& path : SourceFiles()) {
    std::ifstream in(path);
    const std::string file = fs::relative(path, kRoot).string();
    for (std::string line; std::getline(in, line);) {
      std::smatch match;
      if (std::regex_search(line, match, kInclude)) {
        includes.push_back({file, FolderOf(file), match[1]});
      }
    }
  }
  return includes;
}

TEST(Architecture, DependenciesPointOneWay) {
  int checked = 0;
  for (const Include& include : Includes()) {
    const std::string target = FolderOf(include.target);
    if (target.empty()) continue;
    ++checked;
    EXPECT_TRUE(kMayInclude.at(include.folder).contains(target))
        << include.file << " must not include " << include.target;
  }
  EXPECT_GT(checked, 200) << "the includes were not found";
}

TEST(Architecture, SourcesDoNotIncludeTests) {
  for (const Include& include : Includes()) {
    EXPECT_FALSE(include.target.starts_with("tests/")) << include.file;
    EXPECT_FALSE(include.target.starts_with("bench/")) << include.file;
  }
}

TEST(Architecture, LibrariesEnterThroughOneDoor) {
  std::set<std::string> seen;
  for (const Include& include : Includes()) {
    for (const auto& [library, doors] : kOnlyIn) {
      if (!include.target.starts_with(library)) continue;
      seen.insert(library);
      const bool allowed = std::any_of(doors.begin(), doors.end(), [&](const std::string& door) {
        return include.file == door || include.file.starts_with(door + "/");
      });
      EXPECT_TRUE(allowed) << include.file << " must not include " << include.target;
    }
  }
  EXPECT_EQ(seen.size(), kOnlyIn.size()) << "seen: " << fmt::format("{}", fmt::join(seen, " "));
}

TEST(Architecture, TheTopLevelIsTheOneThatUsersKnow) {
  for (const auto& entry : fs::directory_iterator(kRoot)) {
    EXPECT_TRUE(kTopLevel.contains(entry.path().filename())) << entry.path();
  }
}

TEST(Architecture, FilesBeginWithTheirLicenceAndStaySmall) {
  for (const fs::path& path : SourceFiles()) {
    std::ifstream in(path);
    std::string line;
    std::getline(in, line);
    EXPECT_EQ(line, "// SPDX-License-Identifier: Apache-2.0") << path;
    int lines = 1;
    while (std::getline(in, line)) ++lines;
    EXPECT_LE(lines, path.extension() == ".h" ? 200 : 400) << path;
  }
}

}  // namespace
}  // namespace felix
