// SPDX-License-Identifier: Apache-2.0
#include "model/packed.h"

namespace felix::model {
namespace {

// A 00 in a text is 00 ff.
void AppendLast(std::string_view text, std::string& bytes) {
  std::size_t zero = text.find('\0');
  while (zero != std::string_view::npos) {
    bytes.append(text.substr(0, zero + 1));
    bytes += '\xff';
    text.remove_prefix(zero + 1);
    zero = text.find('\0');
  }
  bytes.append(text);
}

// All but the last text end with 00 01: a text orders before those that it begins.
void AppendText(std::string_view text, std::string& bytes) {
  AppendLast(text, bytes);
  bytes.append("\0\1", 2);
}

std::string TakeText(std::string_view& bytes) {
  std::string text;
  for (;;) {
    const std::size_t zero = bytes.find('\0');
    if (zero == std::string_view::npos) {
      text.append(bytes);
      return text;
    }
    const bool at_end = bytes[zero + 1] == '\1';
    text.append(bytes.substr(0, at_end ? zero : zero + 1));
    bytes.remove_prefix(zero + 2);
    if (at_end) return text;
  }
}

}  // namespace

void AppendKey(const WorkloadEndpointId& id, std::string& bytes) {
  for (const std::string* text : {&id.host, &id.orchestrator, &id.workload}) {
    AppendText(*text, bytes);
  }
  AppendLast(id.endpoint, bytes);
}

void ReadKey(std::string_view bytes, WorkloadEndpointId& id) {
  for (std::string* text : {&id.host, &id.orchestrator, &id.workload, &id.endpoint}) {
    *text = TakeText(bytes);
  }
}

void AppendKey(const NetworkSetId& id, std::string& bytes) {
  AppendText(id.namespace_name, bytes);
  AppendLast(id.name, bytes);
}

void ReadKey(std::string_view bytes, NetworkSetId& id) {
  id.namespace_name = TakeText(bytes);
  id.name = TakeText(bytes);
}

void AppendKey(const HostEndpointId& id, std::string& bytes) {
  AppendText(id.host, bytes);
  AppendLast(id.name, bytes);
}

void ReadKey(std::string_view bytes, HostEndpointId& id) {
  id.host = TakeText(bytes);
  id.name = TakeText(bytes);
}

void AppendKey(const PolicyId& id, std::string& bytes) {
  bytes += static_cast<char>(id.kind);
  AppendText(id.namespace_name, bytes);
  AppendLast(id.name, bytes);
}

void ReadKey(std::string_view bytes, PolicyId& id) {
  id.kind = static_cast<PolicyKind>(bytes.front());
  bytes.remove_prefix(1);
  id.namespace_name = TakeText(bytes);
  id.name = TakeText(bytes);
}

void AppendKey(const ProfileId& id, std::string& bytes) {
  AppendLast(id.name, bytes);
}

void ReadKey(std::string_view bytes, ProfileId& id) {
  id.name = TakeText(bytes);
}

}  // namespace felix::model
