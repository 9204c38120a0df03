"""The published contract: OpenAPI for REST and AsyncAPI for the WebSocket, made from the types in `gateway/shapes/`.

python -m gateway.contract openapi
python -m gateway.contract asyncapi
"""
