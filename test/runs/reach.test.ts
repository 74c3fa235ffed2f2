import { expect, test } from "vitest";
import { packageEnv } from "#runs/reach.ts";

const core = { pythonIndex: "https://index.example.com/simple/", goProxy: "https://modules.example.com/go" };
const [index, modules] = [{ host: "index.example.com" }, { host: "modules.example.com" }];
const python = { PIP_INDEX_URL: core.pythonIndex, UV_DEFAULT_INDEX: core.pythonIndex };

test("pip, uv and Go are told where packages come from, each when its preset opened that", () => {
  expect(packageEnv(core, { egress: [index, modules] })).toEqual({ ...python, GOPROXY: core.goProxy });
  expect(packageEnv(core, { egress: [index] })).toEqual(python);
  expect(packageEnv(core, { egress: [modules] })).toEqual({ GOPROXY: core.goProxy });
});

test("nobody is told of a place that is not open, or not configured", () => {
  expect(packageEnv(core, { egress: [{ host: "api.example.com" }] })).toEqual({});
  expect(packageEnv({}, { egress: [index, modules] })).toEqual({});
  expect(packageEnv({ pythonIndex: null, goProxy: null }, { egress: [index, modules] })).toEqual({});
});
