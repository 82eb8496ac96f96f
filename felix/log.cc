// SPDX-License-Identifier: Apache-2.0
#include "felix/log.h"

#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "spdlog/pattern_formatter.h"
#include "spdlog/sinks/basic_file_sink.h"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

#include "model/base/strings.h"

namespace felix {
namespace {

struct SeverityName {
  std::string_view name;
  spdlog::level::level_enum level;
};
constexpr std::array kSeverityNames = {
    SeverityName{"TRACE", spdlog::level::trace}, SeverityName{"DEBUG", spdlog::level::debug},
    SeverityName{"INFO", spdlog::level::info},   SeverityName{"WARNING", spdlog::level::warn},
    SeverityName{"ERROR", spdlog::level::err},   SeverityName{"FATAL", spdlog::level::critical},
};

spdlog::level::level_enum LevelOf(std::string_view name) {
  for (const SeverityName& severity : kSeverityNames) {
    if (severity.name == name) return severity.level;
  }
  return spdlog::level::off;
}

class SeverityFlag final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm& /*time*/,
              spdlog::memory_buf_t& out) override {
    for (const SeverityName& severity : kSeverityNames) {
      if (severity.level == message.level) {
        out.append(severity.name.data(), severity.name.data() + severity.name.size());
      }
    }
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<SeverityFlag>();
  }
};

class EscapedMessageFlag final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm& /*time*/,
              spdlog::memory_buf_t& out) override {
    const std::string escaped =
        EscapeControlCharacters({message.payload.data(), message.payload.size()});
    out.append(escaped.data(), escaped.data() + escaped.size());
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<EscapedMessageFlag>();
  }
};

std::unique_ptr<spdlog::formatter> LineShape() {
  auto shape = std::make_unique<spdlog::pattern_formatter>();
  shape->add_flag<SeverityFlag>('*').add_flag<EscapedMessageFlag>('~').set_pattern(
      "%Y-%m-%d %H:%M:%S.%e [%*][%P] %~");
  return shape;
}

absl::Status AddFileSink(const LogSettings& settings, std::vector<spdlog::sink_ptr>& sinks) {
  const spdlog::level::level_enum level = LevelOf(settings.file_severity);
  if (settings.file_path.empty() || level == spdlog::level::off) return absl::OkStatus();
  try {
    auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(settings.file_path);
    sink->set_level(level);
    sinks.push_back(std::move(sink));
  } catch (const spdlog::spdlog_ex& error) {
    return absl::UnavailableError(
        fmt::format("cannot open the log file {}: {}", settings.file_path, error.what()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ConfigureLog(const LogSettings& settings) {
  std::vector<spdlog::sink_ptr> sinks;
  auto screen = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  screen->set_level(LevelOf(settings.screen_severity));
  sinks.push_back(std::move(screen));
  absl::Status status = AddFileSink(settings, sinks);

  auto most_talkative = spdlog::level::off;
  for (const spdlog::sink_ptr& sink : sinks) {
    most_talkative = std::min(most_talkative, sink->level());
  }
  auto logger = std::make_shared<spdlog::logger>("felix", sinks.begin(), sinks.end());
  logger->set_formatter(LineShape());
  logger->set_level(most_talkative);
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
  return status;
}

std::string EscapeControlCharacters(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      escaped += fmt::format("\\x{:02x}", byte);
    } else {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace felix
