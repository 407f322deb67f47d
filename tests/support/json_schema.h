// Whether a JSON document is as a JSON Schema says: the few words of the language that our schemas use.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

/// What is wrong, with its place; empty when nothing is. Knows type, const, enum, minimum, required, properties,
/// additionalProperties: false, and items.
inline std::vector<std::string> schema_errors(const nlohmann::json& schema, const nlohmann::json& value,
                                              const std::string& place = "$") {
    std::vector<std::string> errors;
    const auto is = [&](const std::string& type) {
        if (type == "integer") return value.is_number_integer();
        if (type == "number") return value.is_number();
        return type == value.type_name();
    };
    if (schema.contains("type")) {
        const nlohmann::json& type = schema.at("type");
        bool fits = type.is_string() && is(type.get<std::string>());
        if (type.is_array()) {
            for (const auto& one : type) fits = fits || is(one.get<std::string>());
        }
        if (!fits) return {place + " is a " + value.type_name() + ", expected " + type.dump()};
    }
    if (schema.contains("const") && value != schema.at("const")) errors.push_back(place + " is " + value.dump());
    if (schema.contains("enum")) {
        bool found = false;
        for (const auto& one : schema.at("enum")) found = found || one == value;
        if (!found) errors.push_back(place + " is " + value.dump());
    }
    if (schema.contains("minimum") && value.get<double>() < schema.at("minimum").get<double>()) {
        errors.push_back(place + " is too small");
    }
    if (schema.contains("required")) {
        for (const auto& name : schema.at("required")) {
            if (!value.contains(name.get<std::string>())) errors.push_back(place + " lacks " + name.dump());
        }
    }
    if (schema.contains("properties")) {
        for (const auto& [name, member] : value.items()) {
            if (schema.at("properties").contains(name)) {
                for (auto& error : schema_errors(schema.at("properties").at(name), member, place + "." + name)) {
                    errors.push_back(std::move(error));
                }
            } else {
                errors.push_back(place + " has an unknown " + name);
            }
        }
    }
    if (schema.contains("items")) {
        for (std::size_t i = 0; i < value.size(); ++i) {
            const std::string at = place + "[" + std::to_string(i) + "]";
            for (auto& error : schema_errors(schema.at("items"), value[i], at)) errors.push_back(std::move(error));
        }
    }
    return errors;
}
