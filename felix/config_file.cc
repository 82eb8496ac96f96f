// SPDX-License-Identifier: Apache-2.0
#include "felix/config_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "fmt/format.h"

#include "model/base/strings.h"

namespace felix {
namespace {

constexpr std::size_t kLargestFile = 1 << 20;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

std::string_view Trim(std::string_view text) {
  return ToStd(absl::StripAsciiWhitespace(ToAbsl(text)));
}

std::string_view WithoutComment(std::string_view line) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool begins = line[i] == '#' || line[i] == ';';
    if (begins && (i == 0 || absl::ascii_isspace(static_cast<unsigned char>(line[i - 1])))) {
      return line.substr(0, i);
    }
  }
  return line;
}

std::string_view WithoutQuotes(std::string_view value) {
  const bool quoted = value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
                      value.back() == value.front();
  return quoted ? value.substr(1, value.size() - 2) : value;
}

absl::Status ReadError(std::string_view act, const std::string& path, int error) {
  return absl::ErrnoToStatus(error, fmt::format("cannot {} the configuration file {}", act, path));
}

}  // namespace

ConfigFile ParseConfigFile(std::string_view content) {
  if (content.starts_with(kByteOrderMark)) content.remove_prefix(kByteOrderMark.size());
  ConfigFile file;
  std::map<std::string, std::string> spelling;  // lower case to as written
  int line_number = 0;
  for (const absl::string_view raw : absl::StrSplit(ToAbsl(content), '\n')) {
    ++line_number;
    const std::string_view line = Trim(WithoutComment(Trim(ToStd(raw))));
    if (line.empty() || (line.starts_with('[') && line.ends_with(']'))) continue;
    const std::size_t equals = line.find('=');
    const std::string_view name = Trim(line.substr(0, equals));
    if (equals == std::string_view::npos || name.empty()) {
      file.warnings.push_back(fmt::format("line {}: not of the form Name = value", line_number));
      continue;
    }
    const auto [known, fresh] =
        spelling.try_emplace(absl::AsciiStrToLower(ToAbsl(name)), std::string(name));
    if (!fresh) {
      file.warnings.push_back(
          fmt::format("line {}: {} is set again, the last value counts", line_number, name));
      file.values.erase(known->second);
      known->second = std::string(name);
    }
    file.values[std::string(name)] = std::string(WithoutQuotes(Trim(line.substr(equals + 1))));
  }
  return file;
}

absl::StatusOr<ConfigFile> ReadConfigFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return ReadError("open", path, errno);
  const absl::Cleanup close_it = [fd] { close(fd); };
  struct stat info {};
  if (fstat(fd, &info) != 0) return ReadError("read", path, errno);
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(
        fmt::format("cannot read the configuration file {}: not a regular file", path));
  }
  std::string content;
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t n = read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ReadError("read", path, errno);
    if (n == 0) break;
    content.append(buffer.data(), static_cast<std::size_t>(n));
    if (content.size() > kLargestFile) {
      return absl::InvalidArgumentError(
          fmt::format("cannot read the configuration file {}: larger than a megabyte", path));
    }
  }
  return ParseConfigFile(content);
}

}  // namespace felix
