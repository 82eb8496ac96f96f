// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include "fmt/format.h"
#include "gtest/gtest.h"

namespace felix::datastore {

// A directory of resource files below a temporary one, which is removed at the end. Files are named
// relative to it.
class ResourceDirectory {
 public:
  ResourceDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "felix-source-XXXXXX").string();
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    base_ = pattern;
    std::filesystem::create_directory(path());
  }
  ~ResourceDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(base_, ignored);
  }
  ResourceDirectory(const ResourceDirectory&) = delete;
  ResourceDirectory& operator=(const ResourceDirectory&) = delete;

  [[nodiscard]] std::filesystem::path path() const { return base_ / "resources"; }
  // A place beside the directory, on the same file system.
  [[nodiscard]] std::filesystem::path Beside(std::string_view name) const { return base_ / name; }
  [[nodiscard]] std::filesystem::path Path(std::string_view file) const { return path() / file; }

  void WriteInPlace(std::string_view file, std::string_view text) const {
    std::ofstream(Path(file)) << text;
  }
  void Replace(std::string_view file, std::string_view text) const {
    std::ofstream(Beside("new")) << text;
    std::filesystem::rename(Beside("new"), Path(file));
  }
  void Remove(std::string_view file) const { std::filesystem::remove_all(Path(file)); }

 private:
  std::filesystem::path base_;
};

inline std::string TierText(std::string_view name, int order) {
  return fmt::format(
      "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata:\n  name: {}\nspec:\n  order: {}\n",
      name, order);
}

}  // namespace felix::datastore
