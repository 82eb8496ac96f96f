// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "rapidjson/stringbuffer.h"
#include "rapidjson/writer.h"

namespace felix {

// Writes one JSON value on one line. Bytes that are not UTF-8 are kept as they are.
class JsonLine {
 public:
  JsonLine& BeginObject() { return writer_.StartObject(), *this; }
  JsonLine& EndObject() { return writer_.EndObject(), *this; }
  JsonLine& BeginArray() { return writer_.StartArray(), *this; }
  JsonLine& EndArray() { return writer_.EndArray(), *this; }
  JsonLine& Key(std::string_view key) {
    return writer_.Key(key.data(), static_cast<rapidjson::SizeType>(key.size())), *this;
  }
  JsonLine& Field(std::string_view key, std::string_view value) {
    Key(key);
    return writer_.String(value.data(), static_cast<rapidjson::SizeType>(value.size())), *this;
  }
  JsonLine& Field(std::string_view key, std::uint64_t value) {
    Key(key);
    return writer_.Uint64(value), *this;
  }
  JsonLine& Element(std::string_view value) {
    return writer_.String(value.data(), static_cast<rapidjson::SizeType>(value.size())), *this;
  }
  JsonLine& Flag(std::string_view key, bool value) {
    Key(key);
    return writer_.Bool(value), *this;
  }
  [[nodiscard]] std::string Text() const { return {buffer_.GetString(), buffer_.GetSize()}; }

 private:
  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> writer_{buffer_};
};

}  // namespace felix
